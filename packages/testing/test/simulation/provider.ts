/**
 * The provider of a simulation: takes requests through the real codec, does what the schedule says, and keeps the ledger
 * of what a person would have received, with the true time of each.
 *
 * A request that has left a process is on its own: whether the process lives on or not, and whether it still waits for
 * the reply, changes nothing of what the provider does with it.
 */
import * as Delivery from "@effect-cascade/core/Delivery"
import type * as Envelope from "@effect-cascade/core/Envelope"
import * as SmsBatWire from "@effect-cascade/core/SmsBatWire"
import type { TransportShape } from "@effect-cascade/core/Transport"
import { TransportError } from "@effect-cascade/core/TransportError"
import * as Reason from "@effect-cascade/core/TransportReason"
import { DateTime, Duration, Effect, Exit, Result } from "effect"
import type { Prng } from "./prng.ts"
import { freezeIn, type Process } from "./process.ts"
import type { ProviderFault, Side } from "./steps.ts"
import type { World } from "./world.ts"

/** Something that a person received. */
export interface Received {
  readonly trackingId: string
  /** When the request left. */
  readonly sentAt: number
  readonly by: string
}

/** A message in a request, whatever came of it. */
export interface Request {
  readonly trackingId: string
  readonly sentAt: number
  readonly by: string
  /** What the relay could know of it. `lane`: refused for a reason that is not the message's. */
  answer: "accepted" | "rejected" | "unknown" | "lane"
}

export interface Provider {
  readonly ledger: Array<Received>
  readonly requests: Array<Request>
  readonly arm: (fault: ProviderFault, times: number, millis: number) => void
  readonly poison: (trackingId: string, times: number, side: Side) => void
  /** Does what is right from now on. What is poison stays poison, as long as it was to be. */
  readonly calmDown: () => void
  readonly transport: (process: Process) => TransportShape
}

export interface ProviderOptions {
  readonly world: World
  readonly prng: Prng
  readonly die: (process: Process) => void
  /** Looks at each request when it leaves. */
  readonly inspect: (process: Process, envelope: Envelope.Envelope, wire: SmsBatWire.WireMessage) => void
}

type Reply = Exit.Exit<ReadonlyArray<Delivery.Delivery>, TransportError>

/** A failure is that of the whole batch; where some of it was not in the request, it is the answer for the rest alone. */
const withUnsendable = (
  reply: Reply,
  sendable: ReadonlyArray<Envelope.Envelope>,
  unsendable: ReadonlyArray<Delivery.Delivery>
): Effect.Effect<ReadonlyArray<Delivery.Delivery>, TransportError> =>
  unsendable.length === 0
    ? reply
    : Effect.map(
        Effect.catch(reply, ({ reason }) =>
          Effect.succeed(sendable.map(({ trackingId }) => Delivery.notAccepted(trackingId, reason)))
        ),
        (answers: ReadonlyArray<Delivery.Delivery>) => [...unsendable, ...answers]
      )

/** What comes of a request: who receives it, and what is said about it. */
interface Course {
  readonly accepted: ReadonlyArray<Envelope.Envelope>
  readonly reply: Reply
  readonly answer: (trackingId: string) => Request["answer"]
  /** How long the reply takes beside the usual. */
  readonly late?: number
}

export const make = ({ die, inspect, prng, world }: ProviderOptions): Provider => {
  const ledger: Array<Received> = []
  const requests: Array<Request> = []
  const faults: Array<{ readonly fault: ProviderFault; left: number; readonly millis: number }> = []
  const poisons: Array<{ readonly trackingId: string; left: number; readonly side: Side }> = []
  let downUntil = 0
  let ids = 0

  const nextFault = () => {
    const first = faults[0]
    if (first === undefined) return undefined
    if (--first.left <= 0) faults.shift()
    return first
  }

  const poisonOf = (batch: ReadonlyArray<Envelope.Envelope>): Side | undefined => {
    const found = poisons.find(
      ({ left, trackingId }) => left > 0 && batch.some((envelope) => envelope.trackingId === trackingId)
    )
    if (found === undefined) return undefined
    found.left--
    return found.side
  }

  const messageId = () => `00000000-0000-4000-8000-${(++ids).toString(16).padStart(12, "0")}`

  /** The reply as JSON text, read by the real reader. */
  const ok = (batch: ReadonlyArray<Envelope.Envelope>, named: ReadonlyArray<string>, more?: string): Reply =>
    Exit.succeed(
      SmsBatWire.decodeReply(
        more ?? JSON.stringify(named.map((trackinId) => ({ messageId: messageId(), trackinId }))),
        batch.map(({ trackingId }) => trackingId)
      )
    )

  const courseOf = (batch: ReadonlyArray<Envelope.Envelope>): Course => {
    const names: ReadonlyArray<string> = batch.map(({ trackingId }) => trackingId)
    const all = (
      answer: Request["answer"],
      reason: Reason.TransportReason,
      accepted: ReadonlyArray<Envelope.Envelope> = []
    ): Course => ({
      accepted,
      reply: Exit.fail(new TransportError({ transport: "simulated", reason })),
      answer: () => answer
    })
    if (world.now() < downUntil) return all("lane", new Reason.Unreachable({ code: "ECONNREFUSED" }))
    const met = nextFault()
    switch (met?.fault) {
      case undefined:
        return { accepted: batch, reply: ok(batch, names), answer: () => "accepted" }
      case "accept, lose the reply":
        return all("unknown", new Reason.ConnectionLost({ code: "ECONNRESET" }), batch)
      case "fail with 500 before accepting":
        return all("unknown", new Reason.ServerError({ status: 500 }))
      case "fail with 500 after accepting":
        return all("unknown", new Reason.ServerError({ status: 500 }), batch)
      case "reject": {
        const [bad, ...good] = batch
        const rejected = new Reason.Rejected({ status: 400, code: "INVALID_PHONE" })
        const rest = ok(good, names)
        return {
          accepted: good,
          reply: Exit.map(rest, (answers) =>
            bad === undefined ? answers : [...answers, Delivery.notAccepted(bad.trackingId, rejected)]
          ),
          answer: (trackingId) => (trackingId === bad?.trackingId ? "rejected" : "accepted")
        }
      }
      case "429":
        return all("lane", new Reason.Throttled({ status: 429 }))
      case "429 with retry-after":
        return all("lane", new Reason.Throttled({ status: 429, retryAfter: Duration.millis(met.millis) }))
      case "503 with retry-after":
        return all("lane", new Reason.Throttled({ status: 503, retryAfter: Duration.millis(met.millis) }))
      case "401":
        return all("lane", new Reason.Unauthorized({ status: 401 }))
      case "redirect":
        return all("lane", new Reason.Redirected({ status: 302 }))
      case "down":
        downUntil = world.now() + met.millis
        return all("lane", new Reason.Unreachable({ code: "ECONNREFUSED" }))
      case "slower than the send time-out":
        return {
          accepted: batch,
          reply: ok(batch, names),
          answer: () => "unknown",
          late: 4_000 + met.millis
        }
      case "leave some out of the reply": {
        const named = names.filter(() => prng.chance(0.5))
        return {
          accepted: batch,
          reply: ok(batch, named),
          answer: (trackingId) => (named.includes(trackingId) ? "accepted" : "unknown")
        }
      }
      case "take some, and name only those": {
        const taken = batch.filter(() => prng.chance(0.5))
        const named = taken.map(({ trackingId }) => trackingId as string)
        return {
          accepted: taken,
          reply: ok(batch, named),
          answer: (trackingId) => (named.includes(trackingId) ? "accepted" : "unknown")
        }
      }
      case "name some twice in the reply":
        return { accepted: batch, reply: ok(batch, [...names, ...names]), answer: () => "accepted" }
      case "contradict itself": {
        const rejected = new Reason.Rejected({ status: 400 })
        return {
          accepted: batch,
          reply: Exit.map(ok(batch, names), (answers) => [
            ...answers,
            ...batch.map(({ trackingId }) => Delivery.notAccepted(trackingId, rejected))
          ]),
          answer: () => "unknown"
        }
      }
      case "name foreign ids in the reply":
        return {
          accepted: batch,
          reply: ok(batch, ["somebody-elses", ...names.filter((_, index) => index > 0)]),
          answer: (trackingId) => (trackingId === names[0] ? "unknown" : "accepted")
        }
      case "answer with HTML":
        return { accepted: batch, reply: ok(batch, [], "<html>OK</html>"), answer: () => "unknown" }
      case "break (a defect of the transport)":
        return { accepted: batch, reply: Exit.die("broken by the simulation"), answer: () => "unknown" }
    }
  }

  const transport = (process: Process): TransportShape => ({
    name: "simulated",
    maxBatchSize: 1_000,
    send: (batch) =>
      Effect.callback<ReadonlyArray<Delivery.Delivery>, TransportError>((resume) => {
        if (!process.alive) return
        const sentAt = world.now()
        const at = DateTime.makeUnsafe(Math.floor(sentAt) + process.offset)
        const sendable: Array<Envelope.Envelope> = []
        const unsendable: Array<Delivery.Delivery> = []
        for (const envelope of batch) {
          const wire = SmsBatWire.encode(envelope, at)
          if (Result.isFailure(wire)) {
            unsendable.push(Delivery.notAccepted(envelope.trackingId, wire.failure))
            continue
          }
          sendable.push(envelope)
          inspect(process, envelope, wire.success)
        }
        const end = process.spring("send") ?? poisonOf(sendable)
        if (end === "before") return die(process)
        if (sendable.length === 0) return resume(Effect.succeed(unsendable))
        const course = courseOf(sendable)
        // Where the send is cut short, nobody learns that these were not in the request: they count as those that were.
        for (const { trackingId } of unsendable) {
          requests.push({ trackingId, sentAt, by: process.name, answer: "unknown" })
        }
        for (const { trackingId } of sendable) {
          const answer = course.answer(trackingId)
          requests.push({ trackingId, sentAt, by: process.name, answer })
          if (process.held === undefined) process.sending.add(trackingId)
        }
        const usual = prng.between(1, 150)
        world.after(prng.between(0, usual + (course.late ?? 0)), () => {
          for (const { trackingId } of course.accepted) ledger.push({ trackingId, sentAt, by: process.name })
        })
        if (end === "in flight") return die(process)
        freezeIn("send", process, world)
        const over = () => {
          for (const { trackingId } of sendable) process.sending.delete(trackingId)
        }
        world.after(usual + (course.late ?? 0), () =>
          process.tell(() => {
            if (end === "after") return die(process)
            over()
            resume(withUnsendable(course.reply, sendable, unsendable))
          })
        )
        return Effect.sync(over)
      })
  })

  return {
    ledger,
    requests,
    arm: (fault, times, millis) => faults.push({ fault, left: times, millis }),
    poison: (trackingId, times, side) => poisons.push({ trackingId, left: times, side }),
    calmDown: () => {
      faults.length = 0
      downUntil = 0
    },
    transport
  }
}
