/**
 * What the compiler knows about the outbox and its relay: which errors, and which services. Nothing here runs: the file
 * holds if it compiles, and each `@ts-expect-error` is a line that must not.
 */
import type { InvalidMessage, Message, Transport } from "@effect-cascade/core"
import type { PgClient } from "@effect/sql-pg"
import { type Effect, Layer, type Scope } from "effect"
import * as Outbox from "../../src/Outbox.ts"
import type * as OutboxError from "../../src/OutboxError.ts"
import type { OutboxStore } from "../../src/OutboxStore.ts"
import * as PgOutboxStore from "../../src/PgOutboxStore.ts"
import * as Relay from "../../src/Relay.ts"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_Claim extends true>(): void => undefined

declare const message: Message.Message
declare const outbox: Outbox.OutboxShape
declare const order: Effect.Effect<"placed", "sold out", PgClient.PgClient>

type Errors =
  | OutboxError.NotInTransaction
  | OutboxError.TrackingIdReused
  | OutboxError.InvalidName
  | OutboxError.StoreError
  | InvalidMessage.InvalidMessage
type Written = Outbox.Enqueued | Outbox.AlreadyEnqueued

export const writing = (): void => {
  const one = outbox.enqueue(message)
  holds<Equals<typeof one, Effect.Effect<Written, Outbox.EnqueueError>>>()
  holds<Equals<Outbox.EnqueueError, Errors>>()
  const all = outbox.enqueueAll([message], { priority: "low", availableAt: new Date(0) })
  holds<Equals<typeof all, Effect.Effect<ReadonlyArray<Written>, Outbox.EnqueueError>>>()
  // A transaction keeps what the caller's effect answers, fails with and needs.
  const both = outbox.transaction(order)
  holds<
    Equals<typeof both, Effect.Effect<"placed", "sold out" | OutboxError.StoreError, PgClient.PgClient>>
  >()
}

export const relays = (): void => {
  const relay = Relay.make({ retryByType: {} })
  type Running = Effect.Effect<
    Relay.RelayShape,
    Relay.InvalidRelayOptions,
    OutboxStore | Transport.Transport | Scope.Scope
  >
  holds<Equals<typeof relay, Running>>()
  const drained = Relay.drain()
  type Drained = Effect.Effect<
    Relay.RelayTally,
    Relay.InvalidRelayOptions | OutboxError.StoreError,
    OutboxStore | Transport.Transport
  >
  holds<Equals<typeof drained, Drained>>()
}

export const layers = (): void => {
  holds<Equals<typeof Outbox.layer, Layer.Layer<Outbox.Outbox, never, OutboxStore>>>()
  const relay = Relay.layer()
  type RelayLayer = Layer.Layer<Relay.Relay, Relay.InvalidRelayOptions, OutboxStore | Transport.Transport>
  holds<Equals<typeof relay, RelayLayer>>()
  // The write side needs no transport: a service that only enqueues has no keys.
  const writeSide = Outbox.layer.pipe(Layer.provide(PgOutboxStore.layer()))
  holds<Equals<Layer.Services<typeof writeSide>, PgClient.PgClient>>()
}

export const refused = (): void => {
  // @ts-expect-error four priorities
  void outbox.enqueue(message, { priority: "whenever" })
  // @ts-expect-error an instant, not a text
  void outbox.enqueue(message, { availableAt: "tomorrow" })
  // @ts-expect-error the types of messages are known
  Relay.layer({ retryByType: { postcard: undefined } })
  // @ts-expect-error a relay needs something to send with
  const relay: Layer.Layer<Relay.Relay, Relay.InvalidRelayOptions, OutboxStore> = Relay.layer()
  void relay
}
