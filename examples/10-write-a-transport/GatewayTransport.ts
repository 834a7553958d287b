/**
 * A transport of one's own: to a gateway that takes one message in a request, so that each answer is about one envelope.
 */
import { Delivery, Envelope, Transport, TransportError, TransportReason } from "@effect-cascade/core"
import { DateTime, Effect, Layer, type Redacted, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"

export interface GatewayOptions {
  readonly url: string
  readonly key: Redacted.Redacted
}

const Receipt = Schema.Struct({ ref: Schema.String, id: Schema.String })

/** Every error is about the whole batch, which is one message here. A reason holds nothing personal. */
const failed = (reason: TransportReason.TransportReason) =>
  new TransportError.TransportError({ transport: "gateway", reason })

/** What an answer means. Every status that does not surely say "not sent" is Unknown. */
const reasonOf = (status: number): TransportReason.TransportReason => {
  if (status === 400 || status === 422) return new TransportReason.Rejected({ status })
  if (status === 401 || status === 403) return new TransportReason.Unauthorized({ status })
  if (status === 429) return new TransportReason.Throttled({ status })
  if (status >= 500) return new TransportReason.ServerError({ status })
  return new TransportReason.UnexpectedStatus({ status })
}

export const make = Effect.fnUntraced(function* (options: GatewayOptions) {
  const client = yield* HttpClient.HttpClient

  const request = ({ message, trackingId }: Envelope.Envelope, ttl: number | undefined) =>
    HttpClientRequest.post(`${options.url}/messages`).pipe(
      HttpClientRequest.bearerToken(options.key),
      HttpClientRequest.bodyJsonUnsafe({
        ref: trackingId,
        to: message.toPhone,
        text: "text" in message ? message.text : undefined,
        ttl
      })
    )

  const transport: Transport.TransportShape = {
    name: "gateway",
    maxBatchSize: 1,
    send: Effect.fnUntraced(function* ([envelope]) {
      const ttl = Envelope.remainingTtl(envelope, yield* DateTime.now)
      if (ttl !== undefined && ttl < 1) return yield* failed(new TransportReason.Expired({}))
      const response = yield* client.execute(request(envelope, ttl)).pipe(
        // Refused, reset, no such host: unless you can tell them apart, somebody may have received it.
        Effect.mapError(() => failed(new TransportReason.ConnectionLost({}))),
        Effect.timeoutOrElse({
          duration: "10 seconds",
          orElse: () => Effect.fail(failed(new TransportReason.TimedOut({})))
        })
      )
      if (response.status !== 200) return yield* failed(reasonOf(response.status))
      const receipt = yield* HttpClientResponse.schemaBodyJson(Receipt)(response).pipe(
        Effect.mapError(() => failed(new TransportReason.UnreadableReply({ problem: "not a receipt" })))
      )
      // A receipt for another message says nothing about this one: no answer counts as Unknown.
      return receipt.ref === envelope.trackingId ? [Delivery.accepted(envelope.trackingId, receipt.id)] : []
    })
  }
  return transport
})

export const layer = (options: GatewayOptions) => Layer.effect(Transport.Transport, make(options))
