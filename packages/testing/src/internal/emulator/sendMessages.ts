/**
 * The two sending endpoints: judges a batch, writes it into the ledger, answers with the new ids.
 *
 * See https://smsbat.com/help/api/cascade/send/.
 */
import { Received } from "../../EmulatorLedger.ts"
import * as dice from "./dice.ts"
import type { Call, Emulation } from "./emulation.ts"
import * as lifeCycle from "./lifeCycle.ts"
import * as reply from "./reply.ts"
import type { Pair, Reply } from "./reply.ts"
import * as validation from "./validation.ts"

/** A message in its JSON form, nothing known of it. */
export type Element = Readonly<Record<string, unknown>>

/** The messages of a body, or the answer to a body that holds none. */
export const readBatch = (emulation: Emulation, body: unknown): ReadonlyArray<Element> | Reply => {
  const { errorShape, maxBatchSize } = emulation.settings
  const bad = (message: string) =>
    reply.failure(errorShape, { status: 400, code: "INVALID_REQUEST", number: 1001, message })
  if (!Array.isArray(body)) return bad("The body must be an array of messages")
  if (body.length === 0) return bad("The body must hold at least one message")
  if (body.length > maxBatchSize) return bad(`The body must hold at most ${maxBatchSize} messages`)
  return body.every(isElement) ? body : bad("Every message must be an object")
}

/** Accepts a batch, or refuses it. */
export const accept = (emulation: Emulation, call: Call, batch: ReadonlyArray<Element>): Reply => {
  const { settings } = emulation
  const now = emulation.now()
  const rules = { lenientPhone: settings.lenientPhone, isRefused: isRefused(settings.outcomes) }
  const refusals = batch.map((element) => validation.check(element, rules, now))
  const first = refusals.find((refusal) => refusal !== undefined)
  if (first !== undefined && settings.badElement === "reject-batch") {
    return reply.failure(settings.errorShape, { status: settings.invalidStatus, ...first })
  }
  const taken: Array<Received> = []
  const pairs: Array<Pair> = []
  for (const [index, element] of batch.entries()) {
    const isBad = refusals[index] !== undefined
    if (isBad && settings.badElement === "drop") continue
    const trackingId = typeof element["id"] === "string" ? element["id"] : ""
    const known = settings.dedupe ? emulation.book.known(call.account, trackingId) : undefined
    if (known !== undefined) {
      pairs.push({ messageId: known, trackinId: trackingId })
      continue
    }
    const received = receive(emulation, call, element, trackingId, isBad, now)
    taken.push(received)
    // Written at once, so that the same id further on in this batch is known.
    emulation.book.accept(received)
    pairs.push({ messageId: received.messageId, trackinId: trackingId === "" ? null : trackingId })
  }
  call.exchange.record.accepted = taken.length
  emulation.onAccepted(taken)
  return reply.accepted(pairs, settings.trackingField)
}

const receive = (
  emulation: Emulation,
  call: Call,
  message: Element,
  trackingId: string,
  isBad: boolean,
  now: number
): Received => {
  const { outcomes, pace } = emulation.settings
  const ttl = typeof message["ttl"] === "number" ? message["ttl"] : undefined
  const outcome = isBad ? "undeliverable" : outcomes.get(String(message["toPhone"]))
  const start = Math.max(now, validation.instantOf(message["scheduledSent"]) ?? now)
  return new Received({
    trackingId,
    messageId: dice.uuid(emulation.chance),
    account: call.account,
    route: call.route ?? "standard",
    message,
    text:
      typeof message["text"] === "string" ? emulation.items.render(call.account, message["text"]) : undefined,
    ttl,
    acceptedAt: now,
    request: call.exchange.record.number,
    course: lifeCycle.course(outcome ?? "delivered", start, ttl === undefined ? undefined : ttl * 1000, pace)
  })
}

const isRefused = (outcomes: Emulation["settings"]["outcomes"]) => (phone: string) =>
  outcomes.get(phone) === "refused"

const isElement = (value: unknown): value is Element =>
  typeof value === "object" && value !== null && !Array.isArray(value)
