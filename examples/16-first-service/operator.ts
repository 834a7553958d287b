/**
 * A script for whoever looks after it: `node operator.ts counts`, `explain ID`, `resolve ID sent`.
 */
import { OutboxAdmin, PgOutboxAdminStore } from "@effect-cascade/outbox"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { Database } from "./database.ts"

const [command, trackingId = "", verdict] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const admin = yield* OutboxAdmin.OutboxAdmin
  switch (command) {
    case "counts": {
      const { paused, total } = yield* admin.counts
      const { dead, due, scheduled, uncertain } = total
      yield* Console.log(`due ${due}, scheduled ${scheduled}, dead ${dead}, uncertain ${uncertain}`)
      return yield* Effect.forEach(paused, (lane) => Console.log(`${lane.lane} is ${lane.state}`), {
        discard: true
      })
    }
    case "explain":
      return yield* Console.log((yield* admin.explain("default", trackingId)).sentence)
    case "resolve": {
      if (verdict !== "sent" && verdict !== "not-sent") break
      const { id } = yield* admin.read("default", trackingId)
      return yield* admin.resolve(id, verdict)
    }
  }
  yield* Console.error("counts | explain ID | resolve ID sent | resolve ID not-sent")
})

program.pipe(
  Effect.provideService(OutboxAdmin.Operator, process.env["USER"] ?? "operator"),
  Effect.provide(OutboxAdmin.layer.pipe(Layer.provide(PgOutboxAdminStore.layer()), Layer.provide(Database))),
  NodeRuntime.runMain
)
