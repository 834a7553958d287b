// Writes packages/outbox/schema.sql: what the migrations make of an empty database, and what each role may do there.
// With --check it writes nothing, and fails where the file says something else.
import { readFileSync, writeFileSync } from "node:fs"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { Effect } from "effect"
import { freshDump } from "../packages/outbox/test/support/dumpSchema.ts"

const file = new URL("../packages/outbox/schema.sql", import.meta.url)
const command = "node scripts/dump-schema.ts"

const text = await Effect.runPromise(Effect.provide(freshDump(command), PgTestDatabase.layer()))
if (!process.argv.includes("--check")) {
  writeFileSync(file, text)
} else if (readFileSync(file, "utf8") !== text) {
  process.stderr.write(`packages/outbox/schema.sql is not what the migrations make. Run: ${command}\n`)
  process.exitCode = 1
}
