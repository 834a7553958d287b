/**
 * A server at socket level that does as it is told, for what no well-behaved HTTP server would do.
 *
 * It listens on loopback only, keeps every request it could read, and goes away with its scope.
 */
import { Deferred, Effect, type Scope } from "effect"
import * as net from "node:net"

/** A request as it came over the socket. */
export interface RawRequest {
  readonly method: string
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What the server does. Both get the bare socket. */
export interface Behaviour {
  /** Called with each connection, before anything is read. Return `"ignore"` to read nothing from it. */
  readonly onConnection?: (socket: net.Socket) => "ignore" | void
  /** Called with each request that was read whole. `index` counts the requests of the server from 0. */
  readonly onRequest?: (request: RawRequest, socket: net.Socket, index: number) => void
}

/** A running server. */
export interface RawServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly port: number
  /** Every request that was read whole, in order. */
  readonly requests: ReadonlyArray<RawRequest>
  /** How many connections were made. */
  readonly connections: () => number
  /** Done as soon as a first request has been read whole. */
  readonly received: Deferred.Deferred<RawRequest>
  /** Done as soon as a first connection is over. */
  readonly closed: Deferred.Deferred<void>
}

/** Starts a server that behaves like that. */
export const make = (behaviour: Behaviour): Effect.Effect<RawServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const received = yield* Deferred.make<RawRequest>()
    const closed = yield* Deferred.make<void>()
    const requests: Array<RawRequest> = []
    const sockets = new Set<net.Socket>()
    let connections = 0
    const server = net.createServer((socket) => {
      connections++
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        Deferred.doneUnsafe(closed, Effect.void)
      })
      if (behaviour.onConnection?.(socket) === "ignore") return
      let buffered = Buffer.alloc(0)
      socket.on("data", (chunk) => {
        buffered = Buffer.concat([buffered, chunk])
        for (let read = readRequest(buffered); read !== undefined; read = readRequest(buffered)) {
          buffered = read.rest
          requests.push(read.request)
          Deferred.doneUnsafe(received, Effect.succeed(read.request))
          behaviour.onRequest?.(read.request, socket, requests.length - 1)
        }
      })
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.callback<void>((resume) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => resume(Effect.void))
        })
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    return {
      url: `http://127.0.0.1:${port}`,
      port,
      requests,
      connections: () => connections,
      received,
      closed
    }
  })

/** A server that answers every request by a function of it. */
export const answering = (
  answer: (request: RawRequest, index: number) => string
): Effect.Effect<RawServer, never, Scope.Scope> =>
  make({ onRequest: (request, socket, index) => void socket.write(answer(request, index)) })

/** The bytes of a whole HTTP response. */
export const response = (status: number, body = "", headers: Readonly<Record<string, string>> = {}): string =>
  [
    `HTTP/1.1 ${status} Whatever`,
    ...Object.entries({
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
      ...headers
    }).map(([name, value]) => `${name}: ${value}`),
    "",
    body
  ].join("\r\n")

/** A port of loopback on which nobody listens. */
export const deadPort: Effect.Effect<number> = Effect.scoped(Effect.map(make({}), ({ port }) => port))

const readRequest = (
  buffered: Buffer
): { readonly request: RawRequest; readonly rest: Buffer<ArrayBuffer> } | undefined => {
  const end = buffered.indexOf("\r\n\r\n")
  if (end === -1) return undefined
  const [first = "", ...lines] = buffered.subarray(0, end).toString("latin1").split("\r\n")
  const [method = "", path = ""] = first.split(" ")
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
  )
  const length = Number(headers["content-length"] ?? 0)
  const from = end + 4
  if (buffered.length < from + length) return undefined
  return {
    request: { method, path, headers, body: buffered.subarray(from, from + length).toString("utf8") },
    rest: Buffer.from(buffered.subarray(from + length))
  }
}
