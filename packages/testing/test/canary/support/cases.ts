/**
 * What a sweep runs: one use of one or more public operations, with canaries in everything that it is given.
 */
import {
  type Cascade,
  Delivery,
  Envelope,
  Message,
  type Transport,
  TransportError,
  TransportReason
} from "@effect-cascade/core"
import { Array as Arr, Effect, type Scope } from "effect"
import { canary } from "./canaries.ts"

/** One use. It runs once to its end and once until it is interrupted. */
export interface Case<R = Scope.Scope> {
  /** The operations, as `package/Module.export` or `package/Module.Service#method`. */
  readonly covers: ReadonlyArray<string>
  readonly name: string
  readonly run: Effect.Effect<unknown, unknown, R>
  /** Why a success is not looked at: it is the very thing that was asked for. */
  readonly unmasked?: string | undefined
  /** Whether it ends in a failure, which is what is looked at. */
  readonly fails?: boolean | undefined
}

/** A use of operations of one package: `on("core", "Message.make Message.decode", "…", effect)`. */
export const on = <R = Scope.Scope>(
  library: "core" | "outbox" | "testing",
  operations: string,
  name: string,
  run: Effect.Effect<unknown, unknown, R>,
  unmasked?: string
): Case<R> => ({
  covers: operations.split(" ").map((operation) => `${library}/${operation}`),
  name: `${operations.split(" ")[0]}: ${name}`,
  run,
  unmasked
})

/** A function without effects, as one. What it throws is a defect. */
export const calling = <A>(call: () => A): Effect.Effect<A> => Effect.sync(call)

export const transaction = (id = "canary-1"): Message.Transaction =>
  Message.makeUnsafe({
    _tag: "Transaction",
    id,
    fromName: "Shop",
    toPhone: canary.phone,
    text: canary.text,
    ttl: "5 minutes"
  })

export const promo = (id = "canary-2"): Message.Promo =>
  Message.makeUnsafe({ _tag: "Promo", id, fromName: "Shop", toPhone: canary.phone, text: canary.text })

export const survey = (id = "canary-3"): Message.ViberSurvey =>
  Message.makeUnsafe({
    _tag: "ViberSurvey",
    id,
    fromName: "Shop",
    toPhone: canary.phone,
    text: canary.text,
    surveyOptions: [canary.option, canary.otherOption]
  })

const flashCall = (id = "canary-4"): Message.FlashCall =>
  Message.makeUnsafe({ _tag: "FlashCall", id, fromName: "Shop", toPhone: canary.phone })

export const messages = (): readonly [Message.Message, ...Array<Message.Message>] => [
  transaction(),
  promo(),
  survey(),
  flashCall()
]

/** The caller's own notes are as good as anything for personal data. */
export const headers = { note: canary.notes }

/** JSON that breaks every rule, with a canary in every field, known or not. */
export const spoilt: Readonly<Record<string, unknown>> = {
  messageType: "viber_survey",
  _tag: "ViberSurvey",
  id: `order ${canary.phone}`,
  fromName: ` ${canary.phone}\n`,
  toPhone: canary.phone.slice(1),
  text: `${canary.text}${canary.text}`,
  surveyOptions: [canary.option, canary.option, 5, canary.text],
  ttl: Number(canary.phone.slice(1)),
  scheduledSent: canary.text,
  more: { [canary.option]: canary.text },
  headers: { authorization: canary.apiKey }
}

/** An error as careless code makes it. */
export class CarelessError extends Error {
  readonly request = { headers: { "x-authorization-key": canary.apiKey }, body: canary.text }
  readonly detail = `Key (phone)=(${canary.phone}) already exists.`
  constructor() {
    super(`${canary.phone} could not be told "${canary.text}" with ${canary.apiKey}`, {
      cause: new Error(`connect to postgres://app:${canary.databasePassword}@db.example.com/app`)
    })
  }
}

export const reasons: ReadonlyArray<TransportReason.TransportReason> = [
  new TransportReason.Rejected({ status: 400, code: "INVALID_PHONE", field: "toPhone" }),
  new TransportReason.Unauthorized({ status: 401 }),
  new TransportReason.Throttled({ status: 429 }),
  new TransportReason.Unreachable({ code: "ECONNREFUSED" }),
  new TransportReason.ServerError({ status: 500 }),
  new TransportReason.TimedOut({}),
  new TransportReason.CutShort({ by: "lease" })
]

/** Transports that end in every way there is, those of careless authors among them. */
export const transports: Readonly<Record<string, Transport.TransportShape>> = {
  accepts: shape((batch) =>
    Effect.succeed(batch.map(({ trackingId }) => Delivery.accepted(trackingId, `provider-${trackingId}`)))
  ),
  ...Object.fromEntries(
    reasons.map((reason) => [
      reason._tag,
      shape(() => Effect.fail(new TransportError.TransportError({ transport: "canary", reason })))
    ])
  ),
  "answers for nobody": shape(() => Effect.succeed([])),
  dies: shape(() => Effect.die(new CarelessError())),
  throws: shape(() => {
    throw new CarelessError()
  }),
  "dies of the batch": shape((batch) => Effect.die(batch)),
  "interrupts itself": shape(() => Effect.interrupt),
  "never answers": shape(() => Effect.never)
}

function shape(send: Transport.TransportShape["send"]): Transport.TransportShape {
  return { name: "canary", maxBatchSize: 100, send }
}

/** One envelope of each kind. */
export const sealed = Effect.forEach(messages(), (message) => Envelope.seal(message, { headers })).pipe(
  Effect.map((envelopes) => (Arr.isReadonlyArrayNonEmpty(envelopes) ? envelopes : none()))
)

const none = (): never => {
  throw new Error("no message")
}

/** No second attempt, so that nothing waits. */
export const once: Cascade.SendAllOptions = { retry: "none", headers }
