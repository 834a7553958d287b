// A process with one relay for each account, each of which comes to one point and stands still there until it is killed.
import { Transport } from "@effect-cascade/core/Transport"
import * as SmsBatTransport from "@effect-cascade/core/SmsBatTransport"
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Array as Arr, Effect, Layer, Redacted } from "effect"
import type { Point } from "./points.ts"

/** What the process is told, as JSON in its only argument. */
export interface VictimOptions {
  readonly point: Point
  readonly accounts: ReadonlyArray<string>
  readonly database: string
  readonly application: string
  readonly provider: string
}

const options = JSON.parse(process.argv[2] ?? "{}") as VictimOptions

// Whoever started it is gone.
process.stdin.on("end", () => process.exit(1)).resume()

const standStill = (account: string): Effect.Effect<never> =>
  Effect.andThen(
    Effect.sync(() => process.stdout.write(`reached ${account}\n`)),
    Effect.never
  )

/** The store of an account's relay: it sees the lanes of its account alone. */
const storeOf = (store: OutboxStoreShape, account: string): OutboxStoreShape => ({
  ...store,
  claim: (capacities, claim) => {
    const own = capacities.filter(({ lane }) => lane.startsWith(`${account}/`))
    if (!Arr.isArrayNonEmpty(own)) return Effect.succeed([])
    const claimed = store.claim(own, claim)
    return options.point === "after the claim commits"
      ? Effect.flatMap(claimed, (rows) => (rows.length === 0 ? Effect.succeed(rows) : standStill(account)))
      : claimed
  },
  settle: (rows, settle) => {
    switch (options.point) {
      case "after the response, before the settle":
        return standStill(account)
      case "in the settle, before it commits":
        return store.transaction(Effect.andThen(store.settle(rows, settle), standStill(account)))
      case "after the settle commits, before the relay knows":
        return Effect.andThen(store.settle(rows, settle), standStill(account))
      default:
        return store.settle(rows, settle)
    }
  }
})

const relayOf = Effect.fnUntraced(function* (account: string) {
  const store = yield* OutboxStore
  const transport = yield* Transport
  const own =
    options.point === "before the first byte of the request"
      ? { ...transport, send: () => standStill(account) }
      : transport
  yield* Relay.make({
    name: `victim-${account}`,
    accounts: { [account]: own },
    // However slow the machine is, nothing but the kill ends what it stands still in.
    lease: "20 minutes",
    sendTimeout: "10 minutes"
  }).pipe(Effect.provideService(OutboxStore, storeOf(store, account)))
})

const program = Effect.scoped(Effect.andThen(Effect.forEach(options.accounts, relayOf), Effect.never)).pipe(
  Effect.provide(
    Layer.merge(
      PgOutboxStore.layer().pipe(
        Layer.provide(
          PgClient.layer({
            url: Redacted.make(options.database),
            applicationName: options.application,
            maxConnections: 2 * options.accounts.length + 2
          })
        )
      ),
      SmsBatTransport.layer({
        baseUrl: options.provider,
        keys: { apiKey: Redacted.make("test-key") },
        timeout: "15 minutes"
      }).pipe(Layer.provide(NodeHttpClient.layerUndici))
    )
  )
)

NodeRuntime.runMain(program)
