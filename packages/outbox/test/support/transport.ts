import * as Delivery from "@effect-cascade/core/Delivery"
import type * as Envelope from "@effect-cascade/core/Envelope"
import { Transport, type TransportShape } from "@effect-cascade/core/Transport"
import { TransportError } from "@effect-cascade/core/TransportError"
import type { TransportReason } from "@effect-cascade/core/TransportReason"
import { Effect, Layer } from "effect"
import { makeSignal } from "./signal.ts"

/** What a script says of a batch. */
export type Answer = Effect.Effect<ReadonlyArray<Delivery.Delivery>, TransportError>

/** How a transport answers: to a batch, which is its `call`th, from 1. */
export type Script = (batch: ReadonlyArray<Envelope.Envelope>, call: number) => Answer

/** Every batch that a transport was given, in order. */
export interface Recording {
  readonly batches: Array<ReadonlyArray<Envelope.Envelope>>
  readonly sentIds: () => Array<string>
  /** Done when as many batches have come. */
  readonly called: (times: number) => Effect.Effect<void>
  readonly transport: TransportShape
  readonly layer: Layer.Layer<Transport>
}

export const acceptAll: Script = (batch) =>
  Effect.succeed(batch.map(({ trackingId }) => Delivery.accepted(trackingId, `provider-${trackingId}`)))

/** The same of every message of a batch. */
export const failAll =
  (reason: TransportReason): Script =>
  () =>
    Effect.fail(new TransportError({ transport: "recording", reason }))

/** One answer after another, call by call; the last one goes on. */
export const inTurn =
  (...scripts: readonly [Script, ...ReadonlyArray<Script>]): Script =>
  (batch, call) =>
    (scripts[Math.min(call, scripts.length) - 1] ?? scripts[0])(batch, call)

/** A transport that writes down what it gets and answers by a script; accepts unless told otherwise. */
export const recording = (script: Script = acceptAll, maxBatchSize = 1_000): Recording => {
  const batches: Array<ReadonlyArray<Envelope.Envelope>> = []
  const signal = makeSignal()
  const transport: TransportShape = {
    name: "recording",
    maxBatchSize,
    send: (batch) =>
      Effect.suspend(() => {
        batches.push(batch)
        signal.tick()
        return script(batch, batches.length)
      })
  }
  return {
    batches,
    sentIds: () => batches.flat().map(({ trackingId }) => trackingId),
    called: (times) => signal.until(() => batches.length >= times),
    transport,
    layer: Layer.succeed(Transport, transport)
  }
}
