/**
 * The moves of which random sequences are made, as schemas, so that a sequence that fails is made smaller by itself.
 *
 * Numbers are choices among what there is at that moment; where there is nothing to choose a move is passed over.
 */
import type * as Lane from "@effect-cascade/outbox/Lane"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
const some = <S extends Schema.Top>(item: S) => Schema.Array(item).check(Schema.isBetweenLength(1, 3))

/** How many transactions, tracking ids and lanes there are. */
export const sizes = { transactions: 2, keys: 20, lanes: 2 }

/** The priority that stands for a lane. */
export const priorityOf = (lane: number): Lane.Priority => (lane === 0 ? "high" : "low")

const transaction = upTo(sizes.transactions - 1)
const lane = upTo(sizes.lanes - 1)

/** How long a pause or a window is: over at once, or not within the test. */
const Length = Schema.Literals(["over", "hour", "endless"])

const Insert = Schema.TaggedStruct("Insert", {
  transaction,
  savepoint: Schema.Literals(["none", "kept", "dropped"]),
  rows: some(
    Schema.Struct({
      key: upTo(sizes.keys - 1),
      content: upTo(1),
      lane,
      later: Schema.Literals([false, false, true])
    })
  )
})
const End = Schema.TaggedStruct("End", {
  transaction,
  how: Schema.Literals(["commit", "commit", "rollback"])
})
const Claim = Schema.TaggedStruct("Claim", { limits: Schema.Tuple([upTo(3), upTo(3)]) })
const Settle = Schema.TaggedStruct("Settle", {
  picks: some(upTo(15)),
  kind: Schema.Literals(["sent", "retry", "deferred", "released", "uncertain", "dead", "expired"]),
  counted: Schema.Boolean,
  later: Schema.Boolean,
  relay: upTo(1)
})
const Renew = Schema.TaggedStruct("Renew", { picks: some(upTo(15)) })
const Lapse = Schema.TaggedStruct("Lapse", { lane, mask: upTo(15) })
const Pause = Schema.TaggedStruct("Pause", { lane, length: Length, reason: Schema.Boolean, trips: upTo(3) })
const Probe = Schema.TaggedStruct("Probe", { lane, window: Schema.Literals(["over", "hour"]) })
const Open = Schema.TaggedStruct("Open", { lane, how: Schema.Literals(["reopen", "resume"]) })

/** One move. Those that write messages and those that move them come more often than the rest. */
export const Command = Schema.Union([
  Insert,
  Insert,
  Insert,
  End,
  End,
  Claim,
  Claim,
  Claim,
  Settle,
  Settle,
  Settle,
  Renew,
  Lapse,
  Schema.Union([Pause, Probe, Open])
])

/** @see Command */
export type Command = typeof Command.Type

/** Moves by name. */
export type CommandOf<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

export const commandSequences = Arbitrary.array(Arbitrary.schema(Command), { minLength: 1, maxLength: 150 })
