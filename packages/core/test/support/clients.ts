/**
 * The HTTP clients that the transport is tested with.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { FetchHttpClient } from "effect/http"

/** Each by its name. */
export const clients = {
  fetch: FetchHttpClient.layer,
  undici: NodeHttpClient.layerUndici,
  "node:http": NodeHttpClient.layerNodeHttp
} as const
