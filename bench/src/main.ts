/**
 * Measures this library beside a loop by hand and its peers. See README.md for what each figure means.
 *
 *     pnpm bench [--only drain-sink,commit] [--rounds 5] [--size 100000] [--json] [--list]
 */
import { parseArgs } from "node:util"
import { figures } from "./figures/all.ts"
import { startBench } from "./support/bench.ts"
import { machineFacts } from "./support/machine.ts"
import { type FigureResult, lines } from "./support/result.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "5" },
    size: { type: "string", default: "100000" },
    json: { type: "boolean", default: false },
    list: { type: "boolean", default: false }
  }
})

const say = (line: string) => process.stdout.write(`${line}\n`)
const complain = (line: string) => process.stderr.write(`${line}\n`)

const wanted = values.only?.split(",")
const chosen = wanted === undefined ? figures : figures.filter(({ name }) => wanted.includes(name))
const unknown = wanted?.filter((name) => figures.every((figure) => figure.name !== name)) ?? []
const rounds = Number(values.rounds)
const size = Number(values.size)

if (values.list) {
  for (const { name, title } of figures) say(`${name.padEnd(16)} ${title}`)
} else if (unknown.length > 0 || !isWhole(rounds) || !isWhole(size)) {
  complain(
    unknown.length > 0
      ? `no such figure: ${unknown.join(", ")}; --list names them`
      : "--rounds and --size are whole numbers from 1"
  )
  process.exitCode = 2
} else {
  await measure()
}

function isWhole(value: number): boolean {
  return Number.isInteger(value) && value >= 1
}

async function measure() {
  const bench = await startBench({ size, rounds })
  const results: Record<string, FigureResult> = {}
  const machine = await machineFacts(bench.server.version)
  try {
    for (const [name, fact] of Object.entries(machine)) {
      say(`${name.padEnd(16)} ${typeof fact === "object" ? JSON.stringify(fact) : fact}`)
    }
    const estimate = chosen.reduce((sum, figure) => sum + figure.seconds(rounds), 0)
    say(`${rounds} rounds of ${size} messages; at full size about ${Math.ceil(estimate / 60)} minutes\n`)
    for (const figure of chosen) {
      const started = performance.now()
      say(`${figure.name}: ${figure.title}`)
      const result = await figure.run(bench)
      results[figure.name] = result
      for (const line of lines(result)) say(line)
      say(`  in ${Math.round((performance.now() - started) / 1_000)} s\n`)
      const missing = result.rows.filter(({ value }) => !Number.isFinite(value.median))
      if (missing.length > 0) {
        complain(`${figure.name}: no figure for ${missing.map(({ label }) => label).join(", ")}`)
        process.exitCode = 1
      }
    }
  } finally {
    await bench.stop()
  }
  if (values.json) say(JSON.stringify({ machine, rounds, size, figures: results }))
}
