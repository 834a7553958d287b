// Runs before `pnpm demo` and `pnpm test`, on whatever Node is there: so no syntax that an old one could not read.
// By now the dependencies are installed, and with them a Node that is new enough wherever npm has one.
var needed = [22, 19]
var version = process.versions.node.split(".").map(Number)
var platform = process.platform + "-" + process.arch

if (version[0] < needed[0] || (version[0] === needed[0] && version[1] < needed[1])) {
  fail(
    "This needs Node " +
      needed.join(".") +
      " or newer; here is " +
      process.versions.node +
      ", and npm has no newer one for " +
      platform +
      ". Install Node 24 and run the command again."
  )
}

var withPostgres = [
  "linux-x64",
  "linux-arm64",
  "linux-arm",
  "linux-ia32",
  "linux-ppc64",
  "darwin-x64",
  "darwin-arm64",
  "win32-x64"
]
var given = process.env.CASCADE_TEST_DATABASE_URL || process.env.DATABASE_URL
if (!given && withPostgres.indexOf(platform) === -1) {
  fail(
    "npm has no Postgres for " +
      platform +
      ". Start one of your own (15 or newer) and name it in CASCADE_TEST_DATABASE_URL (tests) or DATABASE_URL (demo)."
  )
}

function fail(sentence) {
  process.stderr.write(sentence + "\n")
  process.exit(1)
}
