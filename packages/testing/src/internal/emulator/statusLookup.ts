/**
 * The status lookup, `GET /bat/message/{messageId}`.
 *
 * See https://smsbat.com/help/api/smsbat/status/. That it knows the ids of cascade messages is stated nowhere, so it
 * can be switched off. An id of another account is as unknown as one that never was.
 */
import type { Received } from "../../EmulatorLedger.ts"
import type { Call, Emulation } from "./emulation.ts"
import * as lifeCycle from "./lifeCycle.ts"
import * as reply from "./reply.ts"
import type { Reply } from "./reply.ts"

/** Answers with the state of one message. */
export const lookUp = (emulation: Emulation, call: Call): Reply => {
  const { errorShape, statusForCascadeIds } = emulation.settings
  const received = statusForCascadeIds ? emulation.book.byMessageId(call.parameter) : undefined
  if (received === undefined || received.course.hidden || received.account !== call.account) {
    return reply.failure(errorShape, { status: 404, message: "Message not found" })
  }
  const status = lifeCycle.statusAt(received.course, emulation.now())
  return reply.json(200, {
    messagelistId: received.request,
    messageId: received.messageId,
    deliverystatus: status,
    partscount: 1,
    ...costOf(status)
  })
}

/** The price of a message in a state: none is named before the end, and a failure costs nothing. */
const costOf = (status: ReturnType<typeof lifeCycle.statusAt>): { readonly cost?: number } => {
  switch (status) {
    case "scheduled":
    case "processing":
      return {}
    case "delivered":
      return { cost: 0.05 }
    case "undeliverable":
    case "permanenterror":
      return { cost: 0 }
  }
}

/** The body of a delivery webhook: no tracking id, no phone number, as the page has it. */
export const webhookBody = (received: Received, step: lifeCycle.Step): string =>
  JSON.stringify({
    messageId: received.messageId,
    deliverystatus: step.status,
    timestamp: new Date(step.at).toISOString().replace(".000Z", "Z"),
    ...costOf(step.status)
  })
