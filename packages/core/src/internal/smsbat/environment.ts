/**
 * The address and the keys of an SMSBAT account from the configuration, under the names that `SmsBatTransport` reads.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as config from "./config.ts"

/** What is there of them. Whether it is enough is judged where the options are checked. */
export const options: Effect.Effect<config.SmsBatOptions, Config.ConfigError> = Effect.gen(function* () {
  const apiKey = Option.getOrUndefined(yield* Config.option(Config.Redacted("SMSBAT_API_KEY")))
  const viberToken = Option.getOrUndefined(yield* Config.option(Config.Redacted("SMSBAT_VIBER_TOKEN")))
  const telegramKey = Option.getOrUndefined(yield* Config.option(Config.Redacted("SMSBAT_TELEGRAM_KEY")))
  const baseUrl = Option.getOrUndefined(yield* Config.option(Config.String("SMSBAT_BASE_URL")))
  const keys: { readonly [Name in keyof config.SmsBatKeys]: Redacted.Redacted | undefined } = {
    apiKey,
    viberToken,
    telegramKey
  }
  // Which of them are there is known only now; the check of the options refuses none at all.
  return { keys: keys as config.SmsBatKeys, baseUrl }
})
