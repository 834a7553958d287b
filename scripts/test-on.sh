#!/usr/bin/env bash
# The tests that need Postgres, on another one than that from npm: a fresh server of its own, stopped at the end.
#   scripts/test-on.sh /usr/lib/postgresql/15 [arguments of vitest]
set -euo pipefail
binaries=${1:?the folder of a Postgres, with bin in it}
shift
cd "$(dirname "$0")/.."

# Postgres refuses to run as root.
as=()
[ "$(id -u)" != 0 ] || as=(runuser -u "${PGUSER_OS:-postgres}" --)
folder=$(mktemp -d)
[ "$(id -u)" != 0 ] || chown "${PGUSER_OS:-postgres}" "$folder"
stop() {
  "${as[@]}" "$binaries/bin/pg_ctl" -D "$folder/data" -m immediate -w stop > /dev/null 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT

port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
(cd "$folder" && "${as[@]}" "$binaries/bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --no-sync > /dev/null)
(cd "$folder" && "${as[@]}" "$binaries/bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w start > /dev/null \
  -o "-p $port -k '$folder' -c listen_addresses=127.0.0.1 -c max_connections=300 -c fsync=off -c synchronous_commit=off -c full_page_writes=off")

[ $# -gt 0 ] || set -- --project outbox --project testing
CASCADE_TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$port/postgres" npx --yes pnpm test "$@"
