/**
 * One connection through the proxy: the client's socket, the target's, and a pipe for each direction.
 */
import * as Effect from "effect/Effect"
import { Socket } from "node:net"
import type { Direction } from "../../Toxic.ts"
import type { Address } from "./address.ts"
import * as pipe from "./pipe.ts"

/** A connection that is open on at least one side. */
export interface Connection {
  /** Carries it from the dialling on, until it is interrupted or the target does not answer. */
  readonly run: Effect.Effect<void>
  /** Resets both sides at once (a TCP RST). */
  readonly reset: () => void
}

/** Takes over the socket of a client. `onClosed` is called once, when both sides are closed. */
export const make = (
  client: Socket,
  address: Address,
  surroundingsOf: (direction: Direction) => pipe.Surroundings,
  onClosed: () => void
): Connection => {
  // Half-open is allowed, so that the end of one direction does not close the other.
  const target = new Socket({ allowHalfOpen: true })
  target.setNoDelay(true)
  let open = 2
  for (const socket of [client, target]) {
    // What an error means is in the event that follows it.
    socket.on("error", () => undefined)
    socket.once("close", () => {
      open--
      if (open === 0) onClosed()
    })
  }
  const upstream = surroundingsOf("upstream")
  const reset = () => {
    for (const socket of [client, target]) resetOne(socket)
  }
  const close = () => {
    for (const socket of [client, target]) {
      // Bytes that nobody has read would turn its end into a reset.
      socket.removeAllListeners("data").resume()
      socket.destroySoon()
    }
  }

  // Both take in from now on, also while there is nothing yet to pass it on to.
  const up = pipe.make("upstream", client, target, { close, reset }, upstream)
  const down = pipe.make("downstream", target, client, { close, reset }, surroundingsOf("downstream"))

  const run = Effect.gen(function* () {
    // A stalled network does not let the first packet of a connection through either.
    yield* upstream.changes.until(() => !upstream.isStalled("upstream") || undefined)
    if (yield* dial(target, address)) yield* Effect.all([up, down], { concurrency: 2, discard: true })
    else reset()
  })

  return { run, reset }
}

const dial = (target: Socket, { host, port }: Address): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    if (target.destroyed) return resume(Effect.succeed(false))
    target.once("connect", () => resume(Effect.succeed(true)))
    target.once("close", () => resume(Effect.succeed(false)))
    target.connect({ host, port })
  })

const resetOne = (socket: Socket): void => {
  // One whose end is on its way cannot be reset, and one that was never connected has nothing to reset.
  if (socket.destroyed) return
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else if (socket.connecting) resetConnecting(socket)
  else if (socket.pending) socket.destroy()
  else socket.resetAndDestroy()
}

// The other side may know of the connection already, though we have not heard. If so we hear in the next turn of the
// loop; if not there is nobody who would have to be told.
const resetConnecting = (socket: Socket): void => {
  socket.resetAndDestroy()
  setImmediate(() => setImmediate(() => (socket.connecting ? socket.destroy() : undefined)))
}
