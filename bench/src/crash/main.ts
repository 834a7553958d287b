/**
 * `node bench/src/crash/main.ts`: workers of this library, graphile-worker and pg-boss are killed by one and the same
 * script, with their defaults and with the settings that recover soonest.
 *
 * `--only <system>` runs one of them; `--jobs`, `--kills` and `--wait` (seconds) set the size; `--json` prints the
 * result as JSON on the last line.
 */
import { parseArgs } from "node:util"
import { machineFacts } from "../support/machine.ts"
import { startServer } from "../support/server.ts"
import { system as cascade } from "./cascade.ts"
import { system as graphile } from "./graphile.ts"
import { system as pgboss } from "./pgboss.ts"
import { run, type ScriptResult } from "./script.ts"

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "400" },
    kills: { type: "string", default: "10" },
    wait: { type: "string", default: "90" },
    only: { type: "string" },
    json: { type: "boolean", default: false }
  }
})
const options = { jobs: Number(values.jobs), kills: Number(values.kills), wait: Number(values.wait) }

const print = (text: string) => process.stdout.write(`${text}\n`)

const abort = new AbortController()
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => abort.abort())

const line = (result: ScriptResult): string => {
  const { duplicates, left, moved, notReceived, recovery, stranded, system, variant } = result
  const again =
    moved === 0
      ? `not within ${options.wait} s; by its code ${variant.promised}`
      : `p50 ${seconds(recovery.p50)}, max ${seconds(recovery.max)}${moved < stranded ? `; ${stranded - moved} not within ${options.wait} s` : ""}`
  return [
    `${system}, ${variant.name} (${variant.settings})`,
    `  moved again: ${moved} of ${stranded} stranded, ${again}`,
    `  not received ${notReceived}, duplicates ${duplicates} (${result.acceptedBeforeKill} of the stranded had been accepted), not done ${left}; ${result.jobs} jobs, ${result.kills} kills, ${Math.round(result.seconds)} s`
  ].join("\n")
}

const seconds = (millis: number): string => `${(millis / 1_000).toFixed(1)} s`

const server = await startServer()
const results: Array<ScriptResult> = []
try {
  for (const system of [cascade, graphile, pgboss]) {
    if (values.only !== undefined && values.only !== system.name) continue
    for (const variant of system.variants) {
      if (abort.signal.aborted) break
      const result = await run(server, system, variant, options, abort.signal)
      results.push(result)
      print(line(result))
    }
  }
} finally {
  await server.stop()
}
if (values.json) print(JSON.stringify({ options, machine: await machineFacts(server.version), results }))
process.exit(abort.signal.aborted ? 130 : 0)
