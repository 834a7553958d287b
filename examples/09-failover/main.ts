/**
 * Two providers as one transport: the spare is asked for what the main one surely did not send, and for nothing else.
 */
import { Cascade, Failover, Message, SmsBatTransport, Transport } from "@effect-cascade/core"
import { SmsBatEmulator } from "@effect-cascade/testing"
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, References } from "effect"

const program = Effect.gen(function* () {
  const main = yield* SmsBatEmulator.make()
  const spare = yield* SmsBatEmulator.make()
  const transportTo = (name: string, baseUrl: string) =>
    SmsBatTransport.make({ name, baseUrl, keys: { apiKey: Redacted.make("test-key") } })
  const both = Failover.failover(
    [yield* transportTo("main", main.url), yield* transportTo("spare", spare.url)],
    { coolDown: "1 milli" }
  )
  // A single attempt: what an attempt ends in is the point here.
  const CascadeLive = Cascade.layerWith({ retry: "none" }).pipe(
    Layer.provide(Layer.succeed(Transport.Transport, both))
  )

  const send = Effect.fn("send")(function* (id: string, what: string) {
    const message = yield* Message.make({
      _tag: "Transaction",
      id,
      fromName: "Shop",
      toPhone: "+380671112233",
      text: "Your order is on its way"
    })
    const delivery = yield* Cascade.send(message)
    const copies = yield* Effect.forEach([main, spare], ({ ledger }) =>
      Effect.map(ledger.received(id), ({ length }) => length)
    )
    yield* Console.log(`${what}: ${delivery._tag}; copies at main ${copies[0]}, at spare ${copies[1]}`)
    for (const { reason, transport } of Failover.attempts(delivery)) {
      yield* Console.log(`  ${transport}: ${reason.message}`)
    }
  })

  yield* Effect.gen(function* () {
    yield* send("a", "all is well")

    yield* main.nextRequests("429")
    yield* send("b", "main is too busy")

    // It may have been sent, and it was. A second copy from the spare would reach the person twice.
    yield* main.nextRequests("reset-after")
    yield* send("c", "main breaks off")

    // Refused for its own sake: to go round a refusal must be somebody's decision (`movesOn`).
    yield* main.nextRequests("poison:ids=d")
    yield* send("d", "main refuses the message")

    yield* main.nextRequests("401")
    yield* spare.nextRequests("429")
    yield* send("e", "neither can")
  }).pipe(Effect.provide(CascadeLive))
})

// Every move to the spare is logged as a warning, which this example keeps quiet.
program.pipe(
  Effect.scoped,
  Effect.provide(NodeHttpClient.layerUndici),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
