import type { CascadeEvent } from "@effect-cascade/core/CascadeEvent"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import { Transport } from "@effect-cascade/core/Transport"
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import { Effect, Schedule, Stream } from "effect"
import { makeSignal } from "./signal.ts"
import type { Recording } from "./transport.ts"

/** Everything faster than in production, so that tests wait for little. */
export const quick: Relay.RelayOptions = {
  name: "test",
  heartbeat: "50 millis",
  poll: { busy: "5 millis", idle: "20 millis" },
  retry: Schedule.spaced("1 millis").pipe(Schedule.upTo({ times: 2 })),
  pause: { backoff: Schedule.spaced("20 millis"), unauthorized: "30 millis" }
}

/** The events of relays, written down. */
export const listening = Effect.gen(function* () {
  const events = yield* CascadeEvents.make({ capacity: 100_000 })
  const all: Array<CascadeEvent> = []
  const signal = makeSignal()
  const stream = yield* events.subscribe
  yield* Effect.forkScoped(
    Stream.runForEach(stream, (event) =>
      Effect.sync(() => {
        all.push(event)
        signal.tick()
      })
    )
  )
  /** `Accepted order-1`, `LanePaused default/high`. */
  const told = () => all.map((event) => `${event._tag} ${"lane" in event ? event.lane : event.trackingId}`)
  return {
    events,
    all,
    told,
    /** Done when as many events of a kind have come; of one message or lane where it is named. */
    heard: (tag: CascadeEvent["_tag"], times = 1, name?: string) =>
      signal.until(
        () =>
          told().filter((line) =>
            name === undefined ? line.startsWith(`${tag} `) : line === `${tag} ${name}`
          ).length >= times
      )
  }
})

export type Listening = Effect.Success<typeof listening>

interface Surroundings {
  readonly sent: Recording
  readonly heard?: Listening | undefined
  readonly store?: OutboxStoreShape | undefined
}

const inSurroundings =
  ({ heard, sent, store }: Surroundings) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const own = yield* OutboxStore
      const quiet = yield* CascadeEvents.make()
      return yield* self.pipe(
        Effect.provideService(OutboxStore, store ?? own),
        Effect.provideService(Transport, sent.transport),
        Effect.provideService(CascadeEvents.CascadeEvents, heard?.events ?? quiet)
      )
    })

/** A relay that runs until the scope closes. */
export const startRelay = (surroundings: Surroundings, options?: Relay.RelayOptions) =>
  Relay.make({ ...quick, ...options }).pipe(inSurroundings(surroundings))

/** Sends what is due. */
export const drain = (surroundings: Surroundings, options?: Relay.RelayOptions) =>
  Relay.drain({ ...quick, ...options }).pipe(inSurroundings(surroundings))

/** The store, with some of its operations in a test's hands. */
export const altered = (change: (store: OutboxStoreShape) => Partial<OutboxStoreShape>) =>
  Effect.map(OutboxStore, (store): OutboxStoreShape => ({ ...store, ...change(store) }))
