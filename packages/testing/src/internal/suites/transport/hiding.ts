/**
 * The law of secrets: what is said, logged, traced or printed holds no phone number, no text and no key.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import { overhear, render } from "./overhear.ts"
import { good, word } from "./samples.ts"
import { phones } from "./spec.ts"
import { law, type Observation, type Trial } from "./trial.ts"

/** @see Law.title */
export const keepsSecrets = law(
  "keys and personal data are not in its errors, answers, logs, spans and metrics, nor in itself when printed",
  () => true,
  Effect.fnUntraced(function* (trial: Trial) {
    const { faults, features, fitting, inTime, note, samples, transport } = trial
    const canaries = [
      word,
      // Without the country code and its plus, as it may have been taken apart.
      ...phones.map((phone) => phone.slice(4)),
      ...(features.rejects?.toPhone === undefined ? [] : [features.rejects.toPhone.slice(4)]),
      ...(features.secrets ?? [])
    ].flatMap((secret) => formsOf(secret).map((form) => ({ form, secret })))

    const look = (where: string) => (place: string, text: string) => {
      const found = canaries.filter(({ form }) => text.includes(form))
      note(
        where,
        Arr.dedupe(found.map(({ secret }) => `${place} shows ${nameOf(secret, features.secrets ?? [])}`))
      )
    }
    const lookAt = (where: string, observation: Observation) => {
      const seen = look(where)
      const { exit } = observation
      for (const text of render(Exit.isSuccess(exit) ? exit.value : exit.cause)) {
        seen(Exit.isSuccess(exit) ? "an answer" : "an error", text)
      }
    }
    const listenTo = Effect.fnUntraced(function* (where: string, kinds: Parameters<Trial["sendNew"]>[0]) {
      lookAt(where, yield* overhear(look(where))(trial.send(yield* samples(fitting(kinds)))))
    })

    yield* listenTo("no fault", good(8))
    yield* listenTo("late", ["expired", "good"])
    if (features.rejects !== undefined) {
      yield* listenTo("refused", ["rejected"])
      yield* listenTo("refused among others", ["good", "rejected", "good", "rejected"])
    }
    for (const [name, begin] of faults.all) {
      yield* begin
      yield* listenTo(name, good(4))
      yield* faults.restored
    }
    if (faults.hanging !== undefined) {
      const { underWay } = yield* faults.hanging
      const batch = yield* samples(fitting(good(4)))
      const fiber = yield* Effect.forkDetach(overhear(look("interrupted"))(trial.send(batch)))
      // Whether it does so in time is the matter of another law.
      yield* inTime(Effect.orDie(underWay))
      yield* inTime(Fiber.interrupt(fiber))
      yield* faults.restored
    }
    for (const text of render(transport)) look("")("the transport itself", text)
    const labels = (yield* Metric.snapshot).map(({ attributes, description, id }) => ({
      attributes,
      description,
      id
    }))
    for (const text of render(labels)) look("")("a metric", text)
  })
)

/** As it is, in a URL, and in Base64 wherever it stands in the text that was encoded. */
const formsOf = (secret: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(secret)
  const encoded = [0, 1, 2].map((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString("base64")
      .replace(/=+$/, "")
    // What the bytes before it and after it have a part in is not its own.
    return padded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
  })
  return Arr.dedupe([secret, encodeURIComponent(secret), ...encoded])
}

const nameOf = (secret: string, keys: ReadonlyArray<string>): string =>
  keys.includes(secret) ? "a key" : secret === word ? "the text of a message" : "a phone number"
