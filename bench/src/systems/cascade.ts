/**
 * This library: `Outbox` on `PgOutboxStore`, a running `Relay`, and `SmsBatTransport` over undici.
 *
 * Variants: `decode` also makes each message from its JSON, as a service does that takes it from outside;
 * `raw-insert` writes the same transaction on the same client with the insert statement by hand.
 */
import * as Delivery from "@effect-cascade/core/Delivery"
import * as Envelope from "@effect-cascade/core/Envelope"
import * as Message from "@effect-cascade/core/Message"
import * as SmsBatTransport from "@effect-cascade/core/SmsBatTransport"
import { Transport, type TransportShape } from "@effect-cascade/core/Transport"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { encodePayload } from "@effect-cascade/outbox/OutboxRow"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { insert } from "../../../packages/outbox/src/internal/sql/insert.ts"
import * as Tables from "../../../packages/outbox/src/internal/sql/tables.ts"
import { notice, notices, parts, phone, type Range } from "../support/messages.ts"
import { now } from "../support/time.ts"
import { rowOf } from "./raw.ts"
import { insertOrder, shopTable, type System, type SystemOptions, type Target } from "./System.ts"

/** What only this system is asked. */
export interface CascadeSystem extends System {
  /** How long each claim took that was made since the last call, in milliseconds. */
  readonly takeClaimTimes: () => ReadonlyArray<number>
  /** Makes messages, seals them and encodes their payloads. Answers with the milliseconds it took. */
  readonly makeReady: (range: Range) => number
}

export const make = (): CascadeSystem => {
  let runtime: ManagedRuntime.ManagedRuntime<Services, Layer.Error<ReturnType<typeof servicesOn>>>
  let options: SystemOptions = {}
  let claimTimes: Array<number> = []
  let running: { readonly scope: Scope.Closeable; readonly relay: Relay.RelayShape } | undefined

  const messageOf = (number: number): Message.Message =>
    options.variant === "flash"
      ? Message.makeUnsafe({
          _tag: "FlashCall",
          id: `flash:${number}`,
          fromName: "Shop",
          toPhone: phone(number)
        })
      : Message.makeUnsafe({ ...fieldsOf(number), _tag: "Transaction" })

  const enqueueOne = (number: number): Effect.Effect<unknown, unknown, Services> =>
    options.variant === "raw-insert"
      ? PgClient.PgClient.use((sql) => insert(sql, Tables.make(sql, "cascade"), [rowOf(notice(number))]))
      : Outbox.Outbox.use((outbox) => outbox.enqueue(messageOf(number)))

  const timed = (store: OutboxStore["Service"]): OutboxStore["Service"] => ({
    ...store,
    claim: (capacities, lease) =>
      Effect.suspend(() => {
        const started = now()
        return Effect.tap(store.claim(capacities, lease), () =>
          Effect.sync(() => claimTimes.push(now() - started))
        )
      })
  })

  return {
    open: async (url, chosen) => {
      options = chosen
      runtime = ManagedRuntime.make(servicesOn(url, options))
      await runtime.runPromise(
        Effect.andThen(
          OutboxMigrations.run(),
          PgClient.PgClient.use((sql) => sql.unsafe(shopTable))
        )
      )
    },
    clear: async () => {
      await runtime.runPromise(
        PgClient.PgClient.use((sql) =>
          sql.unsafe("TRUNCATE cascade.message, cascade.work, cascade.outcome, cascade.lane, shop_order")
        )
      )
    },
    enqueueAll: (range, size) =>
      runtime.runPromise(
        Effect.gen(function* () {
          const outbox = yield* Outbox.Outbox
          for (const part of parts(range, size)) {
            const messages =
              options.variant === "decode"
                ? yield* Effect.forEach(notices(part), Message.decode)
                : madeBefore(part, messageOf)
            yield* outbox.transaction(outbox.enqueueAll(messages))
          }
        })
      ),
    commitOne: (number) =>
      runtime.runPromise(
        Effect.gen(function* () {
          const sql = yield* PgClient.PgClient
          yield* sql.withTransaction(
            Effect.andThen(sql.unsafe(insertOrder, [number, phone(number)]), enqueueOne(number))
          )
        })
      ),
    start: async (target) => {
      const scope = Scope.makeUnsafe()
      const relay = await runtime.runPromise(
        Effect.gen(function* () {
          const store = yield* OutboxStore
          return yield* Relay.make(relayOptions(options)).pipe(
            Effect.provideService(OutboxStore, timed(store)),
            Effect.provideServiceEffect(Transport, transportTo(target))
          )
        }).pipe(Scope.provide(scope))
      )
      running = { scope, relay }
    },
    stop: async () => {
      if (running !== undefined) await Effect.runPromise(Scope.close(running.scope, Exit.void))
    },
    handled: () => (running === undefined ? 0 : Effect.runSync(running.relay.tally).sent),
    // A tally counts what is written.
    isSettled: async () => true,
    takeClaimTimes: () => {
      const taken = claimTimes
      claimTimes = []
      return taken
    },
    makeReady: ({ count, first }) => {
      const started = now()
      for (let number = first; number < first + count; number++) {
        encodePayload(Effect.runSync(Envelope.seal(messageOf(number))))
      }
      return now() - started
    },
    close: () => runtime.dispose()
  }
}

type Services = Layer.Success<ReturnType<typeof servicesOn>>

const servicesOn = (url: string, options: SystemOptions) =>
  Outbox.layer.pipe(
    Layer.provideMerge(PgOutboxStore.layer({ wake: options.wake === false ? "poll" : "notify" })),
    Layer.provideMerge(
      PgClient.layer({ url: Redacted.make(url), maxConnections: options.connections ?? 10 })
    ),
    Layer.provideMerge(NodeHttpClient.layerUndici),
    Layer.provideMerge(Logger.layer([]))
  )

/** `default-options` is the relay as it comes; else batches of the size that everybody has in the figure. */
const relayOptions = (options: SystemOptions): Relay.RelayOptions => {
  const size = options.batchSize ?? 1_000
  return options.variant === "default-options"
    ? {}
    : { batchSize: { urgent: 20, high: size, normal: size, low: size } }
}

const transportTo = (target: Target) =>
  target.kind === "nothing"
    ? Effect.succeed(toNowhere)
    : SmsBatTransport.make({ keys: { apiKey: Redacted.make("bench") }, baseUrl: target.url })

const toNowhere: TransportShape = {
  name: "nowhere",
  maxBatchSize: 1_000,
  send: (batch) =>
    Effect.succeed(Arr.map(batch, ({ trackingId }) => Delivery.accepted(trackingId, "nowhere")))
}

const fieldsOf = (number: number) => {
  const { fromName, id, text, toPhone, ttl } = notice(number)
  return { fromName, id, text, toPhone, ttl: `${ttl} seconds` as const }
}

const madeBefore = (
  range: Range,
  make: (number: number) => Message.Message
): ReadonlyArray<Message.Message> =>
  Array.from({ length: range.count }, (_, index) => make(range.first + index))
