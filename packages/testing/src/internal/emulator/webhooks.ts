/**
 * Delivery webhooks: tells an address of each state that a message enters, on the emulator's clock.
 *
 * See https://smsbat.com/help/api/smsbat/status/ (webhook). Nothing there promises one call for each state, or an
 * order; so they come late, repeated and out of order where that is asked for.
 */
import * as Effect from "effect/Effect"
import type { Received, WebhookRecord } from "../../EmulatorLedger.ts"
import * as lifeCycle from "./lifeCycle.ts"
import { webhookBody } from "./statusLookup.ts"

/** Where to call, and how badly. Times in milliseconds. */
export interface WebhookSettings {
  readonly url: string
  readonly events: "final" | "all"
  readonly late: number
  /** How many times more each call is made. */
  readonly repeat: number
  /** Calls of the same time in reverse order, and `processing` only after the final state. */
  readonly reorder: boolean
}

interface Call {
  readonly received: Received
  readonly step: lifeCycle.Step
  /** When it is made. */
  readonly at: number
}

/** Makes every call that a batch of messages leads to, each at its time. */
export const follow = (
  settings: WebhookSettings,
  messages: ReadonlyArray<Received>,
  now: () => number,
  record: (record: WebhookRecord) => void
): Effect.Effect<void> => {
  const calls = messages.flatMap((received) => callsOf(settings, received))
  // One fiber for all calls of an instant, however many messages there are.
  return Effect.forEach(
    byInstant(calls),
    ([at, group]) =>
      Effect.andThen(
        Effect.suspend(() => Effect.sleep(Math.max(0, at - now()))),
        Effect.forEach(
          repeated(settings, settings.reorder ? group.toReversed() : group),
          (call) => Effect.map(post(settings.url, call), (answer) => record(recordOf(call, now(), answer))),
          { discard: true }
        )
      ),
    { discard: true, concurrency: "unbounded" }
  )
}

const callsOf = (settings: WebhookSettings, received: Received): ReadonlyArray<Call> => {
  const steps = lifeCycle.steps(received.course)
  const told = settings.events === "all" ? steps : steps.slice(-1).filter(isFinal)
  const last = Math.max(...told.map(({ at }) => at))
  // Out of order: the earlier state is told of with the last one, and after it.
  return told.map((step) => ({ received, step, at: (settings.reorder ? last : step.at) + settings.late }))
}

const byInstant = (calls: ReadonlyArray<Call>): ReadonlyMap<number, ReadonlyArray<Call>> => {
  const groups = new Map<number, Array<Call>>()
  for (const call of calls) {
    const group = groups.get(call.at)
    if (group === undefined) groups.set(call.at, [call])
    else group.push(call)
  }
  return groups
}

const isFinal = ({ status }: lifeCycle.Step): boolean => status !== "processing"

const repeated = (settings: WebhookSettings, calls: ReadonlyArray<Call>): ReadonlyArray<Call> =>
  Array.from({ length: settings.repeat + 1 }, () => calls).flat()

const recordOf = (call: Call, at: number, answer: WebhookRecord["answer"]): WebhookRecord => ({
  messageId: call.received.messageId,
  status: call.step.status,
  at,
  answer
})

// No time-out on the emulator's clock, which a test may have stopped.
const post = (url: string, call: Call): Effect.Effect<WebhookRecord["answer"]> =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: webhookBody(call.received, call.step),
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)])
    })
    await response.body?.cancel()
    return response.status
  }).pipe(Effect.orElseSucceed(() => "failed" as const))
