/**
 * Both ends of a TCP connection, as a test wants them: what came, what was said, and how it ended.
 */
import { Effect, type Scope } from "effect"
import { connect as dial, createServer, type Socket } from "node:net"
import * as signals from "../../src/internal/emulator/signals.ts"

/** One end of a connection. */
export interface Peer {
  /** Everything that came so far. */
  readonly text: () => string
  /** How it stands: open, at the end of what comes, closed, or the code of what went wrong. */
  readonly state: () => string
  readonly send: (text: string) => void
  /** Ends what goes; what comes goes on. */
  readonly end: () => void
  readonly socket: Socket
  /** Succeeds with everything that came, once it is this long. */
  readonly awaitText: (length: number) => Effect.Effect<string>
  /** Succeeds with the state, once it is not open any more. */
  readonly awaitEnd: Effect.Effect<string>
}

const peerOf = (socket: Socket): Peer => {
  const changes = signals.make()
  let text = ""
  let state = "open"
  const become = (next: string) => {
    state = next
    changes.changed()
  }
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1")
    changes.changed()
  })
  socket.on("end", () => become("end"))
  socket.on("error", (error: NodeJS.ErrnoException) => become(error.code ?? "error"))
  socket.on("close", (hadError) => (hadError ? undefined : become("closed")))
  return {
    text: () => text,
    state: () => state,
    send: (chunk) => void socket.write(chunk, "latin1"),
    end: () => void socket.end(),
    socket,
    awaitText: (length) => changes.until(() => (text.length >= length ? text : undefined)),
    awaitEnd: changes.until(() => (state === "open" ? undefined : state))
  }
}

/** A server and those who came to it. */
export interface Host {
  readonly address: { readonly host: string; readonly port: number }
  /** Succeeds with the peer that came with this number, from 0. */
  readonly peer: (number: number) => Effect.Effect<Peer>
  readonly count: () => number
}

/** A server that answers nothing by itself, or sends back what comes and ends when the other side does. */
export const serve = (mode: "silent" | "echo"): Effect.Effect<Host, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly host: Host; readonly close: Effect.Effect<void> }>((resume) => {
        const changes = signals.make()
        const peers: Array<Peer> = []
        const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
          peers.push(peerOf(socket))
          if (mode === "echo") socket.pipe(socket)
          changes.changed()
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          const close = Effect.callback<void>((resume) => {
            server.close(() => resume(Effect.void))
            for (const { socket } of peers) socket.destroy()
          })
          const host: Host = {
            address: { host: "127.0.0.1", port },
            peer: (number) => changes.until(() => peers[number]),
            count: () => peers.length
          }
          resume(Effect.succeed({ host, close }))
        })
      }),
      ({ close }) => close
    ),
    ({ host }) => host
  )

/** A client on a port, connected, or the code of why not. */
export const connect = (port: number): Effect.Effect<Peer, string, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Peer, string>((resume) => {
      const socket = dial({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true })
      const peer = peerOf(socket)
      socket.once("connect", () => resume(Effect.succeed(peer)))
      socket.once("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error.code ?? "error")))
    }),
    ({ socket }) =>
      Effect.callback<void>((resume) => {
        if (socket.closed) return resume(Effect.void)
        socket.once("close", () => resume(Effect.void))
        socket.destroy()
      })
  )
