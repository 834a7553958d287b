/**
 * The other side, for the tests: a small HTTP server that does as the gateway does, and goes wrong when it is told.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Queue, Ref, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"

/** The number that it refuses. */
export const refusedPhone = "+380000000007"

/** The key that it takes. */
export const key = "gateway-key"

type Mood = "well" | "busy" | "strict" | "silent"

const Request = Schema.Struct({ ref: Schema.String, to: Schema.String })

export const make = Effect.gen(function* () {
  const received = yield* Ref.make<ReadonlyArray<string>>([])
  const mood = yield* Ref.make<Mood>("well")
  const unanswered = yield* Queue.unbounded<void>()

  const take = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { ref, to } = yield* HttpServerRequest.schemaBodyJson(Request)
    switch (yield* Ref.get(mood)) {
      case "busy":
        return HttpServerResponse.empty({ status: 429 })
      case "strict":
        return HttpServerResponse.empty({ status: 401 })
      case "silent":
        return yield* Effect.andThen(Queue.offer(unanswered, undefined), Effect.never)
      case "well":
    }
    if (request.headers["authorization"] !== `Bearer ${key}`) return HttpServerResponse.empty({ status: 401 })
    if (to === refusedPhone) return HttpServerResponse.empty({ status: 400 })
    yield* Ref.update(received, (refs) => [...refs, ref])
    return HttpServerResponse.jsonUnsafe({ ref, id: `gw-${ref}` })
  })

  const server = HttpRouter.serve(HttpRouter.add("POST", "/messages", take), {
    disableListenLog: true,
    disableLogger: true
  }).pipe(Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })))
  const { address } = Context.get(yield* Layer.build(server), HttpServer.HttpServer)

  return {
    url: HttpServer.formatAddress(address),
    /** Its ledger: the tracking ids of the messages it took. */
    received: Ref.get(received),
    become: (to: Mood) => Ref.set(mood, to),
    /** Succeeds when a request has come that gets no answer. */
    awaitUnanswered: Queue.take(unanswered)
  }
})
