import { FaultProxy } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import { PgClient } from "@effect/sql-pg"
import { Effect, Logger, Scope } from "effect"
import { connect as connectSocket } from "node:net"
import { connect } from "./database.ts"

/** A store as another process has it, over a network that can go dead. */
export const storeOverNetwork = Effect.fnUntraced(function* (
  options?: PgOutboxStore.PgOutboxStoreOptions & { readonly client?: Partial<PgClient.PgPoolConfig> }
) {
  const { url } = yield* PgTestDatabase
  const scope = yield* Effect.scope
  const makeProxy = Effect.orDie(Scope.provide(FaultProxy.make({ target: url }), scope))
  let proxy = yield* makeProxy
  const client = yield* connect({
    stream: () => connectSocket(proxy.port, proxy.host),
    ...options?.client
  })
  const store = yield* PgOutboxStore.make({ statementTimeout: "300 millis", ...options }).pipe(
    Effect.provideService(PgClient.PgClient, client)
  )
  return {
    client,
    store,
    /** Makes every connection that there is half-open. New ones are as good as the first. */
    breakConnections: (direction?: FaultProxy.Directions) =>
      Effect.flatMap(makeProxy, (next) => {
        const old = proxy
        proxy = next
        return old.stall(direction)
      }),
    /** Makes every connection half-open, also new ones. */
    goDead: Effect.suspend(() => proxy.stall()),
    comeBack: Effect.suspend(() => proxy.resume())
  }
})

/** The first words of everything that is logged. */
export const makeLog = () => {
  const lines: Array<string> = []
  const layer = Logger.layer([
    Logger.make(({ message }) => {
      lines.push(String(Array.isArray(message) ? message[0] : message))
    })
  ])
  return { lines, layer, count: (text: string) => lines.filter((line) => line.includes(text)).length }
}
