// Runs schedules of the simulation outside the test runner:
//   pnpm simulate --seeds 100000 --seed 42
// Ends with exit code 1 and a shrunk schedule when one breaks a promise. One seed alone is shown with what became of its
// messages.
import { parseArgs } from "node:util"
import * as Campaign from "./campaign.ts"
import { draw } from "./draw.ts"
import { simulate } from "./simulate.ts"
import { format } from "./steps.ts"

const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, seeds: { type: "string", default: "10000" } }
})
const from = Number(values.seed)
const count = Number(values.seeds)
const say = (text: string) => process.stdout.write(`${text}\n`)

if (!Number.isInteger(from) || !Number.isInteger(count) || count < 1) {
  say("usage: pnpm simulate [--seed <first, a whole number>] [--seeds <how many>]")
  process.exit(2)
}

if (count === 1) {
  const schedule = draw(from)
  say(format(schedule))
  say(["", ...simulate(schedule).stories].join("\n"))
}

const chunk = 1_000
const started = performance.now()
for (let done = 0; done < count; done += chunk) {
  const failure = Campaign.run(from + done, Math.min(chunk, count - done))
  if (failure !== undefined) {
    say(Campaign.describe(failure))
    process.exit(1)
  }
  if (count > chunk) say(`${Math.min(done + chunk, count)} of ${count} schedules`)
}
say(`${count} schedules broke no promise (${((performance.now() - started) / 1_000).toFixed(1)} s)`)
