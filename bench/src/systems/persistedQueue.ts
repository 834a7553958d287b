/**
 * Effect's own `PersistedQueue` on Postgres: many takers at once, which share a request to the sink.
 *
 * It takes as many elements in one statement as takers wait, and writes each one's end by a statement of its own.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as PersistedQueue from "effect/persistence/PersistedQueue"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { collect } from "../support/collector.ts"
import { type Notice, notice, notices, parts, phone } from "../support/messages.ts"
import { makePoster, type Poster } from "../support/post.ts"
import { insertOrder, shopTable, type System, type SystemOptions, type Target } from "./System.ts"

/** Elements at a time. */
const takers = 500

const NoticeSchema = Schema.Struct({
  id: Schema.String,
  fromName: Schema.String,
  toPhone: Schema.String,
  messageType: Schema.Literal("transaction"),
  text: Schema.String,
  ttl: Schema.Finite
})

const makeQueue = PersistedQueue.make({ name: "send", schema: NoticeSchema })

export const make = (): System => {
  let runtime: ManagedRuntime.ManagedRuntime<Services, Layer.Error<ReturnType<typeof servicesOn>>>
  let scope: Scope.Closeable | undefined
  let poster: Poster | undefined
  let handled = 0

  return {
    open: async (url, options) => {
      runtime = ManagedRuntime.make(servicesOn(url, options))
      await runtime.runPromise(PgClient.PgClient.use((sql) => sql.unsafe(shopTable)))
    },
    clear: async () => {
      await runtime.runPromise(
        PgClient.PgClient.use((sql) => sql.unsafe("TRUNCATE effect_queue, shop_order"))
      )
    },
    enqueueAll: (range, size) =>
      runtime.runPromise(
        Effect.gen(function* () {
          const queue = yield* makeQueue
          const sql = yield* PgClient.PgClient
          for (const part of parts(range, size)) {
            yield* sql.withTransaction(
              Effect.forEach(notices(part), (one) => queue.offer(one, { id: one.id }), { discard: true })
            )
          }
        })
      ),
    commitOne: (number) =>
      runtime.runPromise(
        Effect.gen(function* () {
          const queue = yield* makeQueue
          const sql = yield* PgClient.PgClient
          const one = notice(number)
          yield* sql.withTransaction(
            Effect.andThen(sql.unsafe(insertOrder, [number, phone(number)]), queue.offer(one, { id: one.id }))
          )
        })
      ),
    start: async (target: Target) => {
      handled = 0
      poster = target.kind === "sink" ? makePoster(target.url) : undefined
      const posting = poster
      const send =
        posting === undefined ? undefined : collect<Notice>(1_000, (messages) => posting.post(messages))
      const started = Scope.makeUnsafe()
      scope = started
      await runtime.runPromise(
        Effect.gen(function* () {
          const queue = yield* makeQueue
          const takeOne = queue
            .take((one) => (send === undefined ? Effect.void : Effect.promise(() => send(one))))
            .pipe(Effect.andThen(Effect.sync(() => handled++)), Effect.forever, Effect.forkScoped)
          for (let taker = 0; taker < takers; taker++) yield* takeOne
        }).pipe(Scope.provide(started))
      )
    },
    stop: async () => {
      if (scope !== undefined) await runtime.runPromise(Scope.close(scope, Exit.void))
      await poster?.close()
    },
    handled: () => handled,
    // Counted after its end was written.
    isSettled: async () => true,
    close: () => runtime.dispose()
  }
}

type Services = Layer.Success<ReturnType<typeof servicesOn>>

const servicesOn = (url: string, options: SystemOptions) =>
  PersistedQueue.layer.pipe(
    // Polled as often as this library's relay polls while there is work.
    Layer.provideMerge(PersistedQueue.layerStoreSql({ pollInterval: "25 millis" })),
    Layer.provideMerge(
      PgClient.layer({ url: Redacted.make(url), maxConnections: options.connections ?? 10 })
    ),
    Layer.provideMerge(Logger.layer([]))
  )
