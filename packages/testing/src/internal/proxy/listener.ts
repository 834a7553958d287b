/**
 * A listening socket on the loopback interface that can be closed and opened again on the same port.
 */
import * as Effect from "effect/Effect"
import { createServer, type Server, type Socket } from "node:net"

/** The only interface that is ever listened on. */
export const host = "127.0.0.1"

/** A server that listens, and its port. */
export interface Listener {
  readonly server: Server
  readonly port: number
}

/** Listens on `port` (0: any free one). */
export const open = (
  port: number,
  onSocket: (socket: Socket) => void
): Effect.Effect<Listener, NodeJS.ErrnoException> =>
  Effect.callback((resume) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, onSocket)
    server.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error)))
    try {
      server.listen(port, host, () => {
        const address = server.address()
        const taken = typeof address === "object" && address !== null ? address.port : port
        resume(Effect.succeed({ server, port: taken }))
      })
    } catch (error) {
      // Node throws for what can be no port.
      resume(Effect.fail(error as NodeJS.ErrnoException))
    }
  })

/** Stops listening. Connections that are open do not hold it up. */
export const close = ({ server }: Listener): Effect.Effect<void> => Effect.sync(() => void server.close())
