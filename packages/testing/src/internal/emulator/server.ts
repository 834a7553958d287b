/**
 * An HTTP server on the loopback interface, for as long as a scope is open. Plain node:http, since a reset needs
 * the raw socket.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createServer, type RequestListener } from "node:http"

/** The only interface that is ever listened on. */
export const host = "127.0.0.1"

/** Listens on `port` (0: any free one) and gives the port. Closing the scope cuts every connection. */
export const listen = (
  port: number,
  listener: RequestListener
): Effect.Effect<number, NodeJS.ErrnoException, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(open(port, listener), ({ server }) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
    ),
    (opened) => opened.port
  )

const open = (port: number, listener: RequestListener) =>
  Effect.callback<
    { readonly server: ReturnType<typeof createServer>; readonly port: number },
    NodeJS.ErrnoException
  >((resume) => {
    // No time-outs of its own: a connection that closes by itself while a client reuses it would be a fault that
    // nobody asked for.
    const server = createServer(
      { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, noDelay: true },
      listener
    )
    server.timeout = 0
    server.once("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(error)))
    try {
      server.listen(port, host, () => {
        const address = server.address()
        resume(
          Effect.succeed({
            server,
            port: typeof address === "object" && address !== null ? address.port : port
          })
        )
      })
    } catch (error) {
      // Node throws for what can be no port.
      resume(Effect.fail(error as NodeJS.ErrnoException))
    }
  })
