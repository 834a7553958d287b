/**
 * What the compiler knows about the doubles of tests: that they stand in for the real services, and need nothing. Nothing
 * here runs: the file holds if it compiles, and each `@ts-expect-error` is a line that must not.
 */
import type { Cascade, CascadeEvents, Transport } from "@effect-cascade/core"
import type { Outbox, OutboxStore, Relay } from "@effect-cascade/outbox"
import { type Effect, Layer } from "effect"
import type { EnqueuedMessage, EnqueuedMessages } from "../../src/EnqueuedMessages.ts"
import * as FakeCascade from "../../src/FakeCascade.ts"
import type { MemoryOutbox } from "../../src/MemoryOutboxStore.ts"
import * as OutboxAssert from "../../src/OutboxAssert.ts"
import * as TestOutbox from "../../src/TestOutbox.ts"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_Claim extends true>(): void => undefined

declare const fake: FakeCascade.FakeCascadeShape

export const layers = (): void => {
  const provider = FakeCascade.layer()
  type Provider = FakeCascade.FakeCascade | Cascade.Cascade | Transport.Transport
  holds<Equals<typeof provider, Layer.Layer<Provider>>>()
  const outbox = TestOutbox.layer()
  type Services =
    | TestOutbox.TestOutbox
    | Outbox.Outbox
    | OutboxStore.OutboxStore
    | MemoryOutbox
    | EnqueuedMessages
    | CascadeEvents.CascadeEvents
  holds<Equals<typeof outbox, Layer.Layer<Services>>>()
  const both = Layer.merge(outbox, provider)
  holds<Equals<typeof both, Layer.Layer<Services | Provider>>>()
}

export const moves = (): void => {
  // Nothing is sent without a transport, which the fake is.
  type Drained = Effect.Effect<
    Relay.RelayTally,
    TestOutbox.DrainError,
    TestOutbox.TestOutbox | Transport.Transport
  >
  holds<Equals<typeof TestOutbox.drain, Drained>>()
  const advanced = TestOutbox.advance("1 hour")
  holds<Equals<typeof advanced, Drained>>()
  type Listed = Effect.Effect<ReadonlyArray<EnqueuedMessage>, never, TestOutbox.TestOutbox>
  holds<Equals<typeof TestOutbox.pending, Listed>>()
  holds<Equals<typeof TestOutbox.dead, Listed>>()
  const found = OutboxAssert.assertEnqueued({ id: /^order-/, state: "sent" })
  holds<Equals<Effect.Services<typeof found>, EnqueuedMessages>>()
}

export const refused = (): void => {
  // @ts-expect-error a script has an answer
  fake.nextCalls()
  // @ts-expect-error a typing error must not make a refusal hold
  fake.assertNotSent({ phone: "+380671112233" })
  // @ts-expect-error nor here
  void OutboxAssert.refuteEnqueued({ trackingId: "order-1" })
  // @ts-expect-error the states are known
  void OutboxAssert.assertEnqueued({ state: "delivered" })
}
