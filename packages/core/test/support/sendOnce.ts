/**
 * Sends one message to the address of its first argument by each HTTP client, and prints what became of it as JSON.
 */
import { Effect } from "effect"
import * as SmsBatTransport from "../../src/SmsBatTransport.ts"
import * as Transport from "../../src/Transport.ts"
import { clients } from "./clients.ts"
import { envelopes, options } from "./smsbat.ts"

const url = process.argv[2] ?? ""

const outcomeOver = (client: (typeof clients)[keyof typeof clients]) =>
  Effect.gen(function* () {
    const transport = yield* SmsBatTransport.make(options(url))
    const [delivery] = yield* Transport.deliver(transport, yield* envelopes(["a"]))
    return delivery?._tag === "Accepted" ? "Accepted" : (delivery?.reason._tag ?? "none")
  }).pipe(Effect.provide(client))

Effect.all({
  fetch: outcomeOver(clients.fetch),
  undici: outcomeOver(clients.undici),
  "node:http": outcomeOver(clients["node:http"])
}).pipe(
  Effect.map((outcomes) => process.stdout.write(JSON.stringify(outcomes))),
  Effect.runPromise
)
