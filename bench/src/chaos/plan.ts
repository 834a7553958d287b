/**
 * The plan of faults, drawn from the seed: what is to happen when. The same seed and options give the same plan.
 *
 * What a fault meets is not in the plan and cannot be: processes, the kernel and the database run at their own pace.
 */
import * as Dice from "./dice.ts"

/** One fault. `relay` and `link` are places in the list of relays and of their connections to the database. */
export type PlannedFault =
  /** SIGKILL to a relay's process, which is then started again. */
  | { readonly _tag: "KillRelay"; readonly relay: number }
  /** SIGKILL to a process that places orders, which is then started again. */
  | { readonly _tag: "KillProducer"; readonly producer: number }
  /** The database crashes (`-m immediate`), stays away for a while, and recovers. */
  | { readonly _tag: "RestartDatabase"; readonly awayMillis: number }
  /** Every connection of one link to the database is reset. */
  | { readonly _tag: "Cut"; readonly link: number }
  /** Nothing passes on one link, and nobody is told; then what was held up passes, or the link is cut. */
  | {
      readonly _tag: "Stall"
      readonly link: number
      readonly millis: number
      readonly direction: "upstream" | "downstream" | "both"
      readonly thenCut: boolean
    }
  /** A link to the database is bad in some way for a while. */
  | { readonly _tag: "BadLink"; readonly link: number; readonly toxics: string; readonly millis: number }
  /** From now on the provider goes wrong like this. */
  | { readonly _tag: "Weather"; readonly faults: string }
  /** The next request to the provider meets this, which pauses the lanes of the account. */
  | { readonly _tag: "Refusal"; readonly script: string }
  /** The provider cannot be reached: connections are refused. */
  | { readonly _tag: "ProviderAway"; readonly millis: number }

/** A fault and when it is due, in milliseconds from the start. */
export interface PlannedEvent {
  readonly at: number
  readonly fault: PlannedFault
}

export interface PlanOptions {
  readonly seed: number
  /** How long faults go on. */
  readonly millis: number
  readonly kills: number
  readonly restarts: number
  readonly relays: number
  readonly producers: number
}

/** Draws a plan. Links are those of the relays, and after them those of the producers. */
export const draw = (options: PlanOptions): ReadonlyArray<PlannedEvent> => {
  const { kills, millis, producers, relays, restarts, seed } = options
  const links = relays + producers
  const seconds = millis / 1_000

  /** `count` faults of a kind, at random moments, one in each stretch of time where `even`. */
  const some = (
    kind: string,
    count: number,
    make: (dice: Dice.Dice, index: number) => PlannedFault,
    even = false
  ): ReadonlyArray<PlannedEvent> => {
    const dice = Dice.make(`${seed}/${kind}`)
    const length = Math.round(count)
    return Array.from({ length }, (_, index) => {
      const share = even ? (index + dice.next()) / length : dice.next()
      return { at: settling + share * (millis - settling), fault: make(dice, index) }
    })
  }

  return [
    ...some("kill", kills, (dice) => ({ _tag: "KillRelay", relay: dice.whole(0, relays - 1) })),
    ...some("producer", Math.max(1, seconds / 20), (dice) => ({
      _tag: "KillProducer",
      producer: dice.whole(0, producers - 1)
    })),
    // Evenly, since the database can only crash again once it is back.
    ...some(
      "restart",
      restarts,
      (dice) => ({ _tag: "RestartDatabase", awayMillis: dice.between(0, 1_500) }),
      true
    ),
    ...some("cut", Math.max(2, seconds / 6), (dice) => ({ _tag: "Cut", link: dice.whole(0, links - 1) })),
    ...some("stall", Math.max(1, seconds / 15), (dice) => ({
      _tag: "Stall",
      link: dice.whole(0, links - 1),
      millis: dice.between(200, 8_000),
      direction: dice.pick(["upstream", "downstream", "both"]),
      thenCut: dice.chance(0.5)
    })),
    ...some("link", Math.max(2, seconds / 10), (dice) => ({
      _tag: "BadLink",
      link: dice.whole(0, links - 1),
      millis: dice.between(500, 4_000),
      toxics: badLink(dice)
    })),
    ...some(
      "weather",
      Math.max(2, seconds / 8),
      (dice) => ({ _tag: "Weather", faults: weather(dice) }),
      true
    ),
    // Each kind in turn, so that a run of any length has as many of them as it can.
    ...some(
      "refusal",
      Math.max(3, seconds / 12),
      (_, index) => ({ _tag: "Refusal", script: refusals[index % refusals.length] ?? "429" }),
      true
    ),
    ...some(
      "away",
      Math.max(1, seconds / 60),
      (dice) => ({ _tag: "ProviderAway", millis: dice.between(500, 3_000) }),
      true
    )
  ].sort((a, b) => a.at - b.at)
}

/** Nothing goes wrong before there is something to go wrong. */
const settling = 2_000

const badLink = (dice: Dice.Dice): string =>
  dice.pick([
    "latency:20ms:jitter=15ms:both",
    "latency:100ms:jitter=80ms:both",
    // The server has the statement and the client gets a reset for an answer: a COMMIT so met is doubtful.
    "reset_peer:downstream:20%",
    "reset_peer:50ms:downstream:10%",
    "reset_peer:upstream:20%",
    `limit_data:${dice.whole(200, 20_000)}:downstream`,
    `limit_data:${dice.whole(200, 20_000)}:upstream`,
    "slicer:64:size_variation=32:delay=1ms:both",
    "bandwidth:64:both",
    "down"
  ])

/** What pauses lanes comes as single refusals: as weather it would leave no time for anything else. */
const refusals = [
  "429:retry-after=1s",
  "503:retry-after=1s",
  "401",
  "429",
  "302:to=http://127.0.0.1:9/",
  "403",
  "429:retry-after-date=2s"
]

const everyFault: ReadonlyArray<(share: string) => string> = [
  (share) => `500:${share}`,
  (share) => `502:${share}`,
  (share) => `503:${share}`,
  (share) => `504:${share}`,
  (share) => `500-after:${share}`,
  (share) => `502-after:${share}`,
  (share) => `504-after:${share}`,
  (share) => `reset-reading:${share}`,
  (share) => `reset:${share}`,
  (share) => `reset-after:${share}`,
  (share) => `truncated:${share}`,
  (share) => `shuffled:${share}`,
  (share) => `missing-ids:${share}:amount=2`,
  (share) => `foreign-ids:${share}:amount=2`,
  (share) => `wrong-shape:${share}`,
  (share) => `wrong-shape:${share}:shape=renamed`,
  (share) => `wrong-shape:${share}:shape=numbers`,
  (share) => `wrong-shape:${share}:shape=null`,
  (share) => `html:${share}`,
  (share) => `html-before:${share}`,
  (share) => `empty:${share}`,
  (share) => `empty-before:${share}`,
  (share) => `slow-body:${share}`,
  (share) => `latency:${share}:1s-4s`
]

const weather = (dice: Dice.Dice): string => {
  const chosen = everyFault
    .filter(() => dice.chance(0.4))
    .map((fault) => fault(dice.between(0.002, 0.02).toFixed(4)))
  // Long enough that a relay that is killed has, as a rule, something under way.
  return ["latency:50-400ms", "hang:0.001", "hang-after:0.001", ...chosen].join(",")
}
