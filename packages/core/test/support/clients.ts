/**
 * The HTTP clients that the transport is tested with.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { Effect } from "effect"
import { FetchHttpClient, HttpClient, HttpClientResponse } from "effect/http"

/** Each by its name. */
export const clients = {
  fetch: FetchHttpClient.layer,
  undici: NodeHttpClient.layerUndici,
  "node:http": NodeHttpClient.layerNodeHttp
} as const

/** A client in process, for what does not depend on the network. */
export const fake = (answer: (body: string) => Response) =>
  HttpClient.make((request) =>
    Effect.sync(() =>
      HttpClientResponse.fromWeb(
        request,
        answer(request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : "")
      )
    )
  )
