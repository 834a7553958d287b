/**
 * A TCP port of the loopback address that nobody listens on.
 */
import { randomInt } from "node:crypto"
import { createServer } from "node:net"
import * as Effect from "effect/Effect"
import { type PgTestServerError, serverError } from "./serverError.ts"

// Below the ports that systems give to outgoing connections: among those, while a test has the server
// stopped, a client that keeps trying could be given the server's own port, and would connect to itself.
const lowest = 20_000
const highest = 32_767

/** Picks a port at random and tries it. Another process may still take it before the caller does. */
export const pickPort: Effect.Effect<number, PgTestServerError> = Effect.suspend(() =>
  tryListen(randomInt(lowest, highest + 1))
).pipe(
  Effect.retry({ times: 50 }),
  Effect.mapError(() => serverError("PortTaken", `No free port between ${lowest} and ${highest} was found`))
)

const tryListen = (port: number): Effect.Effect<number, "taken"> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.fail("taken")))
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resume(Effect.succeed(port))))
  })
