/**
 * Many schedules in a row; and of the first that breaks a promise, the least that breaks one still.
 */
import { draw } from "./draw.ts"
import { type Mutation, simulate } from "./simulate.ts"
import { format, type Schedule, type Step } from "./steps.ts"

/** A schedule in which a promise was broken. */
export interface Failure {
  readonly seed: number
  readonly problems: ReadonlyArray<string>
  /** As it was drawn. */
  readonly drawn: Schedule
  /** The least of it that still breaks a promise, not always the same one. */
  readonly shrunk: Schedule
}

/** Runs the schedules of so many seeds from one on, until one breaks a promise. */
export const run = (from: number, count: number, mutation?: Mutation): Failure | undefined => {
  for (let seed = from; seed < from + count; seed++) {
    const drawn = draw(seed)
    if (problemsOf(drawn, mutation).length === 0) continue
    const shrunk = shrink(drawn, mutation)
    return { seed, drawn, shrunk, problems: problemsOf(shrunk, mutation) }
  }
  return undefined
}

/** What is broken by a schedule; also a defect of the library that stops the simulation itself. */
export const problemsOf = (schedule: Schedule, mutation?: Mutation): ReadonlyArray<string> => {
  try {
    return simulate(schedule, mutation).problems
  } catch (error) {
    return [error instanceof Error ? (error.stack ?? error.message) : String(error)]
  }
}

/** Leaves out whatever is not needed, as long as there is something to leave out. */
const shrink = (schedule: Schedule, mutation: Mutation | undefined): Schedule => {
  const fails = (candidate: Schedule) => problemsOf(candidate, mutation).length > 0
  let least = schedule
  for (let again = true; again;) {
    again = false
    for (const candidate of smaller(least)) {
      if (!fails(candidate)) continue
      least = candidate
      again = true
      break
    }
  }
  return least
}

/** The schedules that have a little less than this one, the boldest first. */
function* smaller(schedule: Schedule): Generator<Schedule> {
  const { steps } = schedule
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < steps.length; at += size) {
      yield { ...schedule, steps: steps.filter((_, index) => index < at || index >= at + size) }
    }
  }
  for (const [index, step] of steps.entries()) {
    for (const simpler of simplerSteps(step)) {
      yield { ...schedule, steps: steps.map((other, at) => (at === index ? simpler : other)) }
    }
  }
  if (schedule.skews.some((skew) => skew !== 0)) yield { ...schedule, skews: schedule.skews.map(() => 0) }
}

function* simplerSteps(step: Step): Generator<Step> {
  if (step.do === "enqueue") {
    if (step.messages.length > 1) {
      for (const left of step.messages) {
        yield { ...step, messages: step.messages.filter((message) => message !== left) }
      }
    }
    if (step.holds > 0) yield { ...step, holds: 0 }
  }
  if ("times" in step && step.times > 1) yield { ...step, times: 1 }
}

/** How a person runs a seed again. */
export const replayCommand = (seed: number): string => `npx pnpm simulate --seed ${seed} --seeds 1`

/** What a failure says. */
export const describe = ({ drawn, problems, seed, shrunk }: Failure): string =>
  [
    `seed ${seed} breaks a promise. The least of its schedule that still does:`,
    "",
    format(shrunk),
    "",
    ...problems.slice(0, 10),
    "",
    `(drawn with ${drawn.steps.length} steps, ${shrunk.steps.length} left)`,
    `replay: ${replayCommand(seed)}`
  ].join("\n")
