/**
 * Carries out a request with the faults that fired for it: in which order things are awaited, accepted and lost.
 */
import * as Duration from "effect/Duration"
import * as dice from "./dice.ts"
import type { Call, Emulation } from "./emulation.ts"
import type { Fired, Verdict } from "./faultBook.ts"
import * as reply from "./reply.ts"
import type { Reply } from "./reply.ts"

/**
 * Waits, lets a fault decide before `act`, acts, waits, lets a fault decide after it, and answers. Without faults
 * all of it happens before this returns.
 */
export const perform = (emulation: Emulation, call: Call, fired: Fired, act: () => Reply): void => {
  const { exchange } = call
  const manner = {
    truncated: fired.truncated,
    slow:
      fired.slow === undefined
        ? undefined
        : { bytes: fired.slow.bytes, pause: Duration.toMillis(fired.slow.pause) }
  }
  const answer = (final: Reply) => exchange.answer(final, manner, emulation.after)

  inTime(emulation, fired.waitBefore, () => {
    const refusal = refuse(emulation, fired.verdict)
    if (refusal !== undefined) {
      return inTime(emulation, fired.waitAfter, () =>
        isReply(refusal) ? answer(refusal) : exchange[refusal]()
      )
    }
    const due = act()
    inTime(emulation, fired.waitAfter, () => {
      const spoilt = spoil(emulation, fired, due)
      if (isReply(spoilt)) answer(spoilt)
      else exchange[spoilt]()
    })
  })
}

const inTime = (emulation: Emulation, millis: number, action: () => void): void => {
  if (millis > 0) emulation.after(millis, action)
  else action()
}

const isReply = (outcome: Reply | "reset" | "hang"): outcome is Reply => typeof outcome !== "string"

/** What happens in place of acting, if anything. */
const refuse = (emulation: Emulation, verdict: Verdict | undefined): Reply | "reset" | "hang" | undefined => {
  const { errorShape } = emulation.settings
  switch (verdict?._tag) {
    case "TooManyRequests":
      return reply.tooManyRequests(errorShape, retryAfter(emulation, verdict))
    case "Unauthorized":
      return reply.failure(errorShape, refusals[verdict.status])
    case "Redirect":
      return { ...reply.html(verdict.status), headers: { location: verdict.location } }
    case "Poison":
      return reply.failure(errorShape, {
        status: verdict.status,
        code: "INVALID_REQUEST",
        number: 1001,
        message: "Invalid message"
      })
    case "ServerError":
    case "Reset":
    case "Hang":
    case "Html200":
    case "EmptyReply":
      return verdict.when === "after" ? undefined : breakDown(emulation, verdict)
    default:
      return undefined
  }
}

/** What becomes of the reply that is due. */
const spoil = (emulation: Emulation, fired: Fired, due: Reply): Reply | "reset" | "hang" => {
  const { verdict } = fired
  switch (verdict?._tag) {
    case "ServerError":
    case "Reset":
    case "Hang":
    case "Html200":
    case "EmptyReply":
      return breakDown(emulation, verdict)
    case "WrongShape":
      return due.pairs === undefined ? due : reply.json(200, misshape(verdict.shape, due.pairs))
    default:
      return rewrite(emulation, fired, due)
  }
}

type Breakdown = Extract<
  Verdict,
  { readonly _tag: "ServerError" | "Reset" | "Hang" | "Html200" | "EmptyReply" }
>

const breakDown = (emulation: Emulation, verdict: Breakdown): Reply | "reset" | "hang" => {
  switch (verdict._tag) {
    case "ServerError":
      return reply.failure(emulation.settings.errorShape, {
        status: verdict.status,
        message: "Something went wrong",
        headers: retryAfter(emulation, verdict)
      })
    case "Reset":
      return "reset"
    case "Hang":
      return "hang"
    case "Html200":
      return reply.html(200)
    case "EmptyReply":
      return { status: 200, type: "application/json; charset=utf-8", body: "" }
  }
}

/** Leaves ids out, adds foreign ones, changes the order. */
const rewrite = (emulation: Emulation, fired: Fired, due: Reply): Reply => {
  const shuffled = fired.shuffled || emulation.settings.shuffle
  if (due.pairs === undefined || (!shuffled && fired.missing === 0 && fired.foreign === 0)) return due
  const foreign = Array.from({ length: fired.foreign }, () => ({
    messageId: dice.uuid(emulation.chance),
    trackinId: `foreign-${dice.uuid(emulation.chance)}`
  }))
  const left = dice
    .shuffle(
      fired.dice,
      due.pairs.map((_, index) => index)
    )
    .slice(fired.missing)
  const order = shuffled ? left : left.sort((a, b) => a - b)
  const pairs = [...order.flatMap((index) => due.pairs?.slice(index, index + 1) ?? []), ...foreign]
  const final = shuffled ? dice.shuffle(fired.dice, pairs) : pairs
  return { ...reply.accepted(final, emulation.settings.trackingField), confirmed: left.length }
}

const misshape = (
  shape: "object" | "renamed" | "numbers" | "null",
  pairs: ReadonlyArray<reply.Pair>
): unknown => {
  switch (shape) {
    case "object":
      return { messages: pairs }
    case "renamed":
      return pairs.map(({ messageId, trackinId }) => ({ messageId, id: trackinId }))
    case "numbers":
      return pairs.map((_, index) => ({ messageId: index + 1, trackinId: index + 1 }))
    case "null":
      return null
  }
}

const retryAfter = (
  emulation: Emulation,
  fault: { readonly retryAfter?: Duration.Duration; readonly form?: "seconds" | "date" }
): Readonly<Record<string, string>> => {
  if (fault.retryAfter === undefined) return {}
  const millis = Duration.toMillis(fault.retryAfter)
  if (fault.form !== "date") return { "retry-after": String(Math.ceil(millis / 1000)) }
  // The header has whole seconds; the date of the reply is the same clock's, for those who compare the two.
  const now = emulation.now()
  return {
    "retry-after": new Date(Math.ceil((now + millis) / 1000) * 1000).toUTCString(),
    date: new Date(now).toUTCString()
  }
}

/** How keys and accounts are refused. */
export const refusals = {
  401: { status: 401, code: "UNAUTHORIZED", message: "Invalid API key" },
  403: { status: 403, code: "FORBIDDEN", message: "Account is suspended or lacks permission" }
} as const
