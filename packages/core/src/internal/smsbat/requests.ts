/**
 * From a batch of envelopes to the bodies of requests: which of them can be sent, and how they share requests.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import type { Delivery } from "../../Delivery.ts"
import * as Deliveries from "../../Delivery.ts"
import type { Envelope, Route } from "../../Envelope.ts"
import * as SmsBatWire from "../../SmsBatWire.ts"
import * as TransportReason from "../../TransportReason.ts"
import type { Account } from "./config.ts"
import * as utf8 from "../utf8.ts"

/** Envelopes of one route that fit one request. */
export interface Group {
  readonly route: Route
  readonly envelopes: NonEmptyReadonlyArray<Envelope>
}

/** An envelope with its message as JSON. */
export interface Encoded {
  readonly envelope: Envelope
  readonly json: string
}

/** Divides a batch into groups, in its order within each route. What cannot be sent is answered at once. */
export const plan = (
  batch: ReadonlyArray<Envelope>,
  now: DateTime.Utc,
  account: Account
): { readonly groups: ReadonlyArray<Group>; readonly unsendable: ReadonlyArray<Delivery> } => {
  const [first] = batch
  // As a rule all of it goes into one request, whatever the messages look like as JSON; then that is made only once.
  if (first !== undefined && fitsAnyway(batch, first.route, account)) {
    const [, ...others] = batch
    return { groups: [{ route: first.route, envelopes: [first, ...others] }], unsendable: [] }
  }
  const { encoded, unsendable } = encodeAll(batch, now, account)
  const groups = routes.flatMap((route) =>
    pack(
      encoded.filter(({ envelope }) => envelope.route === route),
      account
    ).map((envelopes): Group => ({ route, envelopes }))
  )
  return { groups, unsendable }
}

/** Encodes envelopes as they are sent at `now`. Later they only get shorter, so that a group that fits stays one. */
export const encodeAll = (
  envelopes: ReadonlyArray<Envelope>,
  now: DateTime.Utc,
  account: Account
): { readonly encoded: ReadonlyArray<Encoded>; readonly unsendable: ReadonlyArray<Delivery> } => {
  const encoded: Array<Encoded> = []
  const unsendable: Array<Delivery> = []
  for (const envelope of envelopes) {
    const json = Result.flatMap(SmsBatWire.encode(envelope, now), (message) =>
      fit(JSON.stringify(message), account)
    )
    if (Result.isSuccess(json)) encoded.push({ envelope, json: json.success })
    else unsendable.push(Deliveries.notAccepted(envelope.trackingId, json.failure))
  }
  return { encoded, unsendable }
}

/** The body of a request. */
export const body = (encoded: ReadonlyArray<Encoded>): string =>
  `[${encoded.map(({ json }) => json).join(",")}]`

const fitsAnyway = (
  batch: ReadonlyArray<Envelope>,
  route: Route,
  { maxBatchSize, maxBodyBytes }: Account
): boolean => {
  if (batch.length > maxBatchSize) return false
  let bytes = 2
  for (const envelope of batch) bytes += mostBytes(envelope)
  return bytes <= maxBodyBytes && batch.every((envelope) => envelope.route === route)
}

/** No message takes more as JSON: a character is at most six bytes there (`\u001f`). */
const mostBytes = ({ message }: Envelope): number => {
  const text = "text" in message ? message.text.length : 0
  const options = "surveyOptions" in message ? message.surveyOptions : []
  const characters = options.reduce((sum, option) => sum + option.length + 1, message.fromName.length + text)
  return namesAndNumbers + message.id.length + message.toPhone.length + 6 * characters
}

/** More than the names of all fields, their brackets, and the values of those that hold no text. */
const namesAndNumbers = 256

const routes: ReadonlyArray<Route> = ["standard", "tg-viber"]

const fit = (json: string, account: Account) =>
  utf8.byteLength(json) + 2 > account.maxBodyBytes
    ? Result.fail(
        new TransportReason.Unencodable({
          problem: `it alone is more than the ${account.maxBodyBytes} bytes that one request may have`
        })
      )
    : Result.succeed(json)

const pack = (
  encoded: ReadonlyArray<Encoded>,
  { maxBatchSize, maxBodyBytes }: Account
): ReadonlyArray<NonEmptyReadonlyArray<Envelope>> => {
  const groups: Array<[Envelope, ...Array<Envelope>]> = []
  let bytes = 0
  for (const { envelope, json } of encoded) {
    const group = groups.at(-1)
    // With a comma for each, of which there is one too many, and one for the two brackets: 1 in all.
    const more = utf8.byteLength(json) + 1
    if (group === undefined || group.length >= maxBatchSize || bytes + more > maxBodyBytes) {
      groups.push([envelope])
      bytes = 1 + more
    } else {
      group.push(envelope)
      bytes += more
    }
  }
  return groups
}
