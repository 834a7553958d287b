import type { Transport } from "@effect-cascade/core"
import type { Effect } from "effect"

export declare const MyTransport: {
  readonly make: (options: {
    readonly url: string
    readonly key: string
  }) => Effect.Effect<Transport.TransportShape>
}
