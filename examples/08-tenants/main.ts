/**
 * Several tenants, each with credentials of its own: what befalls one is nothing to the others.
 */
import { Cascade, Message, RouteTransport, SmsBatTransport, Transport } from "@effect-cascade/core"
import {
  Outbox,
  OutboxAdmin,
  OutboxMigrations,
  PgOutboxAdminStore,
  PgOutboxStore,
  Relay
} from "@effect-cascade/outbox"
import { SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Console, Context, Effect, Layer, Redacted, References } from "effect"

/** A transport for each tenant. Where the keys come from (a table, a vault) is up to you; they stay `Redacted`. */
class Tenants extends Context.Service<
  Tenants,
  Readonly<Record<"north" | "south", Transport.TransportShape>>
>()("example/Tenants") {
  static readonly layer = Layer.effect(
    Tenants,
    Effect.gen(function* () {
      const { url } = yield* SmsBatEmulator.SmsBatEmulator
      const transport = (name: string, key: string) =>
        SmsBatTransport.make({ name, baseUrl: url, keys: { apiKey: Redacted.make(key) } })
      return {
        north: yield* transport("north", "key-of-north"),
        south: yield* transport("south", "key-of-south")
      }
    })
  )
}

const note = (id: string) =>
  Message.make({ _tag: "Transaction", id, fromName: "Shop", toPhone: "+380671112233", text: "Hello" })

const program = Effect.gen(function* () {
  const emulator = yield* SmsBatEmulator.SmsBatEmulator
  const outbox = yield* Outbox.Outbox
  const admin = yield* OutboxAdmin.OutboxAdmin
  const tenants = yield* Tenants

  yield* Console.log("By the client: one transport for all, which goes by the account of the envelope.")
  for (const account of ["north", "south", "west"]) {
    const delivery = yield* Cascade.send(yield* note(`client-${account}`), { account })
    const why = delivery._tag === "Accepted" ? "" : `, ${delivery.reason.message}`
    yield* Console.log(`${account}: ${delivery._tag}${why}`)
  }

  yield* Console.log("\nBy the outbox: each account has lanes of its own. The provider now refuses south.")
  yield* emulator.suspend("South Ltd")
  for (const account of ["north", "south"]) {
    yield* outbox.transaction(outbox.enqueue(yield* note(`outbox-${account}`), { account }))
  }
  yield* Relay.drain({ accounts: tenants })
  for (const account of ["north", "south"]) {
    const { _tag } = yield* admin.explain(account, `outbox-${account}`)
    yield* Console.log(`${account}: ${_tag}`)
  }

  yield* Console.log("\nSouth has paid. Its message has lost no attempt, only time.")
  yield* emulator.restore("South Ltd")
  yield* admin.resume({ account: "south" })
  yield* Relay.drain({ accounts: tenants })
  for (const { account, trackingId } of yield* emulator.ledger.all) {
    yield* Console.log(`on the ledger of ${account}: ${trackingId}`)
  }
})

// What goes to no tenant is refused, and not sent from somebody else's account.
const ByTenant = Layer.effect(
  Transport.Transport,
  Tenants.useSync((tenants) =>
    RouteTransport.route(({ account }) =>
      account === "north" || account === "south" ? tenants[account] : undefined
    )
  )
)
const Store = Layer.merge(PgOutboxStore.layer(), PgOutboxAdminStore.layer()).pipe(
  Layer.provide(OutboxMigrations.layer()),
  Layer.provide(PgTestDatabase.layer())
)
const Provider = Tenants.layer.pipe(
  Layer.provide(NodeHttpClient.layerUndici),
  Layer.provideMerge(
    SmsBatEmulator.layer({ accounts: { "key-of-north": "North Ltd", "key-of-south": "South Ltd" } })
  )
)
const Services = Layer.mergeAll(Outbox.layer, OutboxAdmin.layer, Cascade.layer).pipe(
  Layer.provideMerge(ByTenant),
  Layer.provideMerge(Layer.merge(Provider, Store))
)

// The refused account is logged as a warning, which this example keeps quiet.
program.pipe(
  Effect.provide(Services),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
