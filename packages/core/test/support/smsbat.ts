/**
 * Messages, envelopes and options for the tests of the SMSBAT transport, and the secrets that must show nowhere.
 */
import { Effect, Redacted } from "effect"
import { HttpClient } from "effect/http"
import * as Envelope from "../../src/Envelope.ts"
import * as Message from "../../src/Message.ts"
import * as SmsBatTransport from "../../src/SmsBatTransport.ts"

/** Values that must reach the wire and nothing else. */
export const secrets = {
  apiKey: "canary-api-key-Zx81",
  viberToken: "canary-viber-token-Zx82",
  telegramKey: "canary-telegram-key-Zx83",
  phone: "+380671112233",
  text: "canary text: your code is 4711",
  option: "canary option"
}

export const keys = {
  apiKey: Redacted.make(secrets.apiKey),
  viberToken: Redacted.make(secrets.viberToken),
  telegramKey: Redacted.make(secrets.telegramKey)
}

/** Options for a server on loopback. */
export const options = (
  baseUrl: string,
  others: Partial<SmsBatTransport.SmsBatOptions> = {}
): SmsBatTransport.SmsBatOptions => ({
  keys,
  baseUrl,
  ...others
})

export const transaction = (
  id: string,
  others: Partial<Omit<Extract<Message.MessageInput, { _tag: "Transaction" }>, "_tag" | "id">> = {}
): Message.Message =>
  Message.makeUnsafe({
    _tag: "Transaction",
    id,
    fromName: "Shop",
    toPhone: secrets.phone,
    text: secrets.text,
    ...others
  })

export const seal = (message: Message.Message, sealOptions?: Envelope.SealOptions) =>
  Effect.orDie(Envelope.seal(message, sealOptions))

/** Sealed transactions with these ids. */
export const envelopes = (ids: readonly [string, ...Array<string>], sealOptions?: Envelope.SealOptions) =>
  Effect.map(
    Effect.forEach(ids, (id) => seal(transaction(id), sealOptions)),
    ([first, ...rest]): readonly [Envelope.Envelope, ...Array<Envelope.Envelope>] => {
      if (first === undefined) throw new Error("no ids")
      return [first, ...rest]
    }
  )

/** `n` ids: `m-0`, `m-1`, … */
export const ids = (n: number): readonly [string, ...Array<string>] => [
  "m-0",
  ...Array.from({ length: n - 1 }, (_, index) => `m-${index + 1}`)
]

/** The reply of a provider that takes on every message of a request body. */
export const acceptAll = (body: string): string =>
  JSON.stringify(idsOf(body).map((id) => ({ messageId: `uuid-${id}`, trackinId: id })))

/** The tracking ids in a request body. */
export const idsOf = (body: string): Array<string> =>
  (JSON.parse(body) as Array<{ readonly id: string }>).map(({ id }) => id)

/** A transport over a client, with every key. */
export const over = (client: HttpClient.HttpClient, others: Partial<SmsBatTransport.SmsBatOptions> = {}) =>
  SmsBatTransport.make(options("https://restapi.smsbat.com", others)).pipe(
    Effect.provideService(HttpClient.HttpClient, client)
  )
