/**
 * One law being tried on one transport: samples to send, what was seen of each call, and what was found wrong.
 */
import type { Delivery } from "@effect-cascade/core/Delivery"
import type { TransportShape } from "@effect-cascade/core/Transport"
import { TransportError } from "@effect-cascade/core/TransportError"
import type { TransportReason } from "@effect-cascade/core/TransportReason"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { onLiveClock } from "../../postgres/liveClock.ts"
import { quietly } from "./overhear.ts"
import * as samples from "./samples.ts"
import type { Hanging, TransportFaults, TransportFeatures, TransportSpec } from "./spec.ts"

/** A law that a transport breaks, with everything that was found. No phone number and no text is in it. */
export class LawBroken extends Schema.TaggedError<LawBroken>(
  "@effect-cascade/testing/TransportLaws/LawBroken"
)("LawBroken", {
  /** The title of the law. */
  law: Schema.String,
  /** What was found, a line each. */
  breaches: Schema.NonEmptyArray(Schema.String)
}) {
  override get message(): string {
    return `${this.law}:\n${this.breaches.map((breach) => `  ${breach}`).join("\n")}`
  }
}

/** What a transport has to keep to. */
export interface Law {
  /** What a transport promises, as a sentence. */
  readonly title: string
  /** Whether a transport with these features can be held to it. */
  readonly appliesTo: (features: TransportFeatures<never>) => boolean
  /** Succeeds where the transport keeps to it. Logs and console output of the transport are not shown. */
  readonly check: <Control, E>(
    spec: TransportSpec<Control, E>
  ) => Effect.Effect<void, LawBroken | E, Scope.Scope>
}

/** What became of an envelope, by its own answer or by an error for all. */
export type Verdict =
  | { readonly certainty: "Accepted"; readonly messageId: string }
  | { readonly certainty: "NotSent" | "Unknown"; readonly reason: TransportReason }

/** One call of `send`. */
export interface Observation {
  readonly batch: samples.Batch
  readonly exit: Exit.Exit<ReadonlyArray<Delivery>, TransportError>
  /** `undefined` for an envelope without an answer. */
  readonly verdict: (id: string) => Verdict | undefined
}

/** How often the other side has received each tracking id. */
export type Received = ReadonlyMap<string, number>

/** The faults of a transport, ready to happen. */
export interface BoundFaults {
  readonly lane: ReadonlyArray<LaneFault>
  readonly lost: Effect.Effect<void> | undefined
  readonly hanging: Effect.Effect<Hanging> | undefined
  /** All that decide the fate of a whole request, by name. */
  readonly all: ReadonlyArray<readonly [name: string, begin: Effect.Effect<void>]>
  readonly restored: Effect.Effect<void>
}

/** A fault of the lane, and the reason that it must be told by. */
export interface LaneFault {
  readonly reason: "Throttled" | "Unreachable" | "Unauthorized"
  readonly begin: Effect.Effect<void>
}

/** What a law works with. */
export interface Trial {
  readonly transport: TransportShape
  readonly features: TransportFeatures<never>
  readonly faults: BoundFaults
  readonly samples: (kinds: Arr.NonEmptyReadonlyArray<samples.Kind>) => Effect.Effect<samples.Batch>
  readonly send: (batch: samples.Batch) => Effect.Effect<Observation>
  /** Makes samples and sends them. */
  readonly sendNew: (kinds: Arr.NonEmptyReadonlyArray<samples.Kind>) => Effect.Effect<Observation>
  /** `undefined` where nobody looks. */
  readonly received: Effect.Effect<Received | undefined>
  /** Gives up in the end, in real time: what never ends must not take the laws with it. */
  readonly inTime: <A>(self: Effect.Effect<A>) => Effect.Effect<A | "too late">
  /** At most as many of them as one batch takes. */
  readonly fitting: <A>(values: Arr.NonEmptyReadonlyArray<A>) => Arr.NonEmptyReadonlyArray<A>
  /** Notes what was found; `where` says in which circumstances. */
  readonly note: (where: string, breaches: ReadonlyArray<string>) => void
}

/** Makes a law of what it does. */
export const law = (
  title: string,
  appliesTo: Law["appliesTo"],
  body: (trial: Trial) => Effect.Effect<void>
): Law => ({
  title,
  appliesTo,
  check: Effect.fnUntraced(function* <Control, E>(
    spec: TransportSpec<Control, E>
  ): Effect.fn.Return<void, LawBroken | E, Scope.Scope> {
    const breaches: Array<string> = []
    const { control, transport } = yield* spec.make
    const features: TransportFeatures<Control> = spec.features ?? {}
    const make = samples.maker(yield* freshPrefix, features)
    const send = observe(transport)
    const ledger = features.received
    const trial: Trial = {
      transport,
      features,
      faults: bind(features.faults, control),
      samples: make,
      send,
      sendNew: (kinds) => Effect.flatMap(make(kinds), send),
      received: ledger === undefined ? Effect.undefined : Effect.map(Effect.orDie(ledger(control)), count),
      inTime: (self) =>
        Effect.raceFirst(
          self,
          Effect.as(onLiveClock(Effect.sleep(features.patience ?? "10 seconds")), "too late" as const)
        ),
      fitting: (values) => {
        const [first, ...others] = values
        return [first, ...others.slice(0, Math.max(0, transport.maxBatchSize - 1))]
      },
      note: (where, found) => {
        breaches.push(...found.map((breach) => (where === "" ? breach : `${where}: ${breach}`)))
      }
    }
    yield* body(trial)
    const [first, ...others] = shorten(breaches)
    if (first !== undefined) return yield* new LawBroken({ law: title, breaches: [first, ...others] })
  }, quietly)
})

const observe =
  (transport: TransportShape) =>
  (batch: samples.Batch): Effect.Effect<Observation> =>
    Effect.suspend(() => transport.send(Arr.map(batch, ({ envelope }) => envelope))).pipe(
      Effect.exit,
      Effect.map((exit) => observation(batch, exit))
    )

/** What can be said of a call that ended so. */
const observation = (batch: samples.Batch, exit: Observation["exit"]): Observation => {
  const verdicts = new Map<string, Verdict>()
  if (Exit.isSuccess(exit)) {
    for (const delivery of exit.value) verdicts.set(delivery.trackingId, verdictOf(delivery))
  } else {
    const error = Cause.findErrorOption(exit.cause)
    if (error._tag === "Some" && error.value instanceof TransportError) {
      const { certainty, reason } = error.value
      for (const { id } of batch) verdicts.set(id, { certainty, reason })
    }
  }
  return { batch, exit, verdict: (id) => verdicts.get(id) }
}

const verdictOf = (delivery: Delivery): Verdict =>
  delivery._tag === "Accepted"
    ? { certainty: "Accepted", messageId: delivery.messageId }
    : { certainty: delivery._tag, reason: delivery.reason }

const bind = <Control>(faults: TransportFaults<Control> | undefined, control: Control): BoundFaults => {
  const begin = (fault: TransportFaults<Control>["lost"]) =>
    fault === undefined ? undefined : Effect.asVoid(Effect.orDie(fault(control)))
  const lane = (["Throttled", "Unreachable", "Unauthorized"] as const).flatMap((reason) => {
    const fault = begin(faults?.[laneFaults[reason]])
    return fault === undefined ? [] : [{ reason, begin: fault }]
  })
  const lost = begin(faults?.lost)
  return {
    lane,
    lost,
    hanging: faults?.hanging === undefined ? undefined : Effect.orDie(faults.hanging(control)),
    all: [
      ...lane.map(({ begin, reason }) => [reason, begin] as const),
      ...(lost === undefined ? [] : [["lost", lost] as const])
    ],
    restored: begin(faults?.restored) ?? Effect.void
  }
}

const laneFaults = {
  Throttled: "throttled",
  Unreachable: "unreachable",
  Unauthorized: "unauthorized"
} as const

const count = (ids: ReadonlyArray<string>): Received => {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}

// So that runs against a real provider do not meet the ids of earlier ones.
const freshPrefix = Effect.map(
  Random.nextIntBetween(0, 36 ** 6 - 1),
  (number) => `suite-${number.toString(36)}`
)

const shorten = (breaches: ReadonlyArray<string>): ReadonlyArray<string> => {
  const different = Arr.dedupe(breaches)
  const most = 10
  return different.length <= most
    ? different
    : [...different.slice(0, most), `and ${different.length - most} more`]
}
