/**
 * A proxy with something behind it.
 */
import { Effect } from "effect"
import * as FaultProxy from "../../src/FaultProxy.ts"
import { connect, serve } from "./sockets.ts"

/** A proxy before a server of this kind. */
export const between = Effect.fnUntraced(function* (
  mode: "silent" | "echo",
  options: Omit<FaultProxy.FaultProxyOptions, "target"> = {}
) {
  const host = yield* serve(mode)
  const proxy = yield* FaultProxy.make({ target: host.address, ...options })
  return { host, proxy }
})

/** A connection that is made and answered; the server has to echo. */
export const roundTrip = Effect.fnUntraced(function* (proxy: FaultProxy.FaultProxyShape) {
  const probe = yield* connect(proxy.port)
  probe.send("!")
  yield* probe.awaitText(1)
})
