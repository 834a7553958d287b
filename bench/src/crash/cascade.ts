/** This library: an outbox, and a relay whose transport is the handler of the kill script. */
import * as Delivery from "@effect-cascade/core/Delivery"
import * as Message from "@effect-cascade/core/Message"
import { Transport, type TransportShape } from "@effect-cascade/core/Transport"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { notice, type Notice } from "../support/messages.ts"
import type { CrashSystem, Handle } from "./CrashSystem.ts"

const relayOptions: Readonly<Record<string, Relay.RelayOptions>> = {
  defaults: {},
  "short lease": { lease: "5 seconds", heartbeat: "1 second", sendTimeout: "3 seconds" },
  "short lease, one message a batch": {
    lease: "5 seconds",
    heartbeat: "1 second",
    sendTimeout: "3 seconds",
    batchSize: { high: 1 }
  }
}

export const system: CrashSystem = {
  name: "cascade",
  variants: [
    {
      name: "defaults",
      settings: "lease 30 s",
      promised: "30 s",
      source: "RelayOptions.lease"
    },
    {
      name: "short lease",
      settings: "lease 5 s, heartbeat 1 s, sendTimeout 3 s",
      promised: "5 s",
      source: "RelayOptions.lease"
    },
    {
      name: "short lease, one message a batch",
      settings: "the same, and batchSize 1",
      promised: "5 s",
      source: "RelayOptions.lease"
    }
  ],
  open: async (url) => {
    const runtime = ManagedRuntime.make(services(url))
    await runtime.runPromise(OutboxMigrations.run())
    return {
      enqueue: async (message) => {
        await runtime.runPromise(
          Outbox.Outbox.use((outbox) => outbox.transaction(outbox.enqueue(messageOf(message))))
        )
      },
      left: async () => {
        const [row] = await runtime.runPromise(
          PgClient.PgClient.use(
            (sql) => sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM cascade.work`
          )
        )
        return row?.count ?? Number.NaN
      },
      close: () => runtime.dispose()
    }
  },
  work: (url, variant, handle) =>
    ManagedRuntime.make(services(url)).runPromise(
      Effect.scoped(
        Relay.make(relayOptions[variant]).pipe(
          Effect.provideService(Transport, transport(handle)),
          Effect.andThen(Effect.never)
        )
      )
    )
}

const services = (url: string) =>
  Outbox.layer.pipe(
    Layer.provideMerge(PgOutboxStore.layer()),
    Layer.provideMerge(PgClient.layer({ url: Redacted.make(url), maxConnections: 6 })),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Error"))
  )

const transport = (handle: Handle): TransportShape => ({
  name: "sink",
  maxBatchSize: 1_000,
  send: (batch) =>
    Effect.promise(() => handle(batch.map(({ trackingId }) => notice(numberOf(trackingId))))).pipe(
      Effect.map((ids) =>
        Arr.map(batch, ({ trackingId }) => {
          const id = ids.get(trackingId)
          return id === undefined
            ? Delivery.notAccepted(trackingId, new Reason.UnreadableReply({ problem: "not named" }))
            : Delivery.accepted(trackingId, id)
        })
      )
    )
})

const numberOf = (trackingId: string): number => Number(trackingId.split(":")[1])

const messageOf = ({ fromName, id, text, toPhone, ttl }: Notice): Message.Message =>
  Message.makeUnsafe({ _tag: "Transaction", id, fromName, toPhone, text, ttl: `${ttl} seconds` })
