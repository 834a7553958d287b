/**
 * The secret in the path of a webhook: its rule, and a comparison whose time says nothing about it.
 *
 * What is compared are not the two texts but their HMACs under a key that is drawn when the route is made and known to
 * nobody. However long a comparison takes, it depends on bytes that whoever asks can neither choose nor see; and both
 * are of one length, so that the length of the secret does not show either.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Mac from "effect/crypto/Mac"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as redactedText from "../redactedText.ts"
import * as utf8 from "../utf8.ts"

/** The rule of a secret in words. */
export const rule = "22 to 100 characters of A-Z a-z 0-9 - _, drawn at random (22 hold 128 bits)"

/** Whether a secret is long enough to be one, and stands in a path as it is. */
export const isUsable = (secret: unknown): secret is Redacted.Redacted =>
  /^[A-Za-z0-9_-]{22,100}$/u.test(redactedText.read(secret) ?? "")

/** Tells whether a text is the secret. */
export type Matcher = (given: string) => Effect.Effect<boolean>

/** Draws a key and makes a matcher. Where the platform fails to compute, nothing matches. */
export const matcher = (secret: Redacted.Redacted): Effect.Effect<Matcher> =>
  Effect.gen(function* () {
    const mac = yield* Mac.Mac
    const key = yield* mac.generateKey(Mac.hmacSha256)
    const tag = yield* mac.sign(key, utf8.encode(Redacted.value(secret)))
    return (given: string) => Effect.orElseSucceed(mac.verify(key, tag, utf8.encode(given)), () => false)
  }).pipe(
    // A platform without HMAC can run no such route at all.
    Effect.orDie,
    Effect.provide(Layer.provide(Mac.layerWebCrypto, SecureRandom.layerWebCrypto))
  )
