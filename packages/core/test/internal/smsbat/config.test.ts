import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Config, ConfigProvider, Duration, Effect, Redacted, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as config from "../../../src/internal/smsbat/config.ts"
import * as environment from "../../../src/internal/smsbat/environment.ts"
import { assertSafe, junk, oneOf, phone, pick, secret, spoilt } from "../../support/junk.ts"
import { variants } from "../../support/mutate.ts"

const apiKey = Redacted.make("key")
const problem = (options: config.SmsBatOptions): config.SmsBatConfigError => {
  const result = config.check(options)
  return Result.isFailure(result) ? result.failure : assert.fail(`${inspect(options)} was taken`)
}
const account = (options: config.SmsBatOptions): config.Account => Result.getOrThrow(config.check(options))

describe("check", () => {
  it("fills in the defaults", () => {
    const { keys, ...others } = account({ keys: { apiKey } })
    assert.deepStrictEqual(
      keys.map(([header, key]) => [header, Redacted.value(key)]),
      [["X-Authorization-Key", "key"]]
    )
    assert.deepStrictEqual(others, {
      name: "smsbat",
      baseUrl: "https://restapi.smsbat.com",
      maxBatchSize: 1000,
      maxBodyBytes: 1_048_576,
      timeout: Duration.seconds(30),
      maxRetryAfter: Duration.minutes(15),
      isolationBudget: 64,
      maxReplyBytes: 8_388_608,
      propagateTrace: false
    })
    assert.deepStrictEqual(
      account({ keys: { apiKey }, timeout: undefined, baseUrl: undefined }).timeout,
      Duration.seconds(30)
    )
  })

  it("names each key by its header", () => {
    const headers = account({ keys: { apiKey, viberToken: apiKey, telegramKey: apiKey } }).keys.map(
      ([header]) => header
    )
    assert.deepStrictEqual(headers, ["X-Authorization-Key", "X-Viber-Auth-Token", "X-Tg-Bot-Key"])
  })

  it("refuses no key at all, which does not compile either", () => {
    // @ts-expect-error at least one of them
    const none: config.SmsBatKeys = {}
    // @ts-expect-error one that may be missing is not one
    const maybe: config.SmsBatKeys = { apiKey: undefined }
    for (const keys of [none, maybe]) {
      assert.strictEqual(
        problem({ keys }).message,
        "SMSBAT keys: at least one of apiKey (SMSBAT_API_KEY), viberToken (SMSBAT_VIBER_TOKEN), telegramKey (SMSBAT_TELEGRAM_KEY) is needed"
      )
    }
  })

  it("refuses an empty key", () => {
    assert.strictEqual(
      problem({ keys: { apiKey, viberToken: Redacted.make("") } }).message,
      "SMSBAT keys.viberToken: it is empty; leave it out or give it"
    )
  })

  it("refuses a key that is no header value, without repeating it", () => {
    for (const value of [
      "canary\r\nx: y",
      "canary\n",
      " canary",
      "canary ",
      "can\tary",
      "can\0ary",
      "канарка",
      "can\u0085ary"
    ]) {
      const error = problem({ keys: { telegramKey: Redacted.make(value) } })
      assert.strictEqual(error.option, "keys.telegramKey")
      assert.notMatch(inspect(error, { depth: null }) + error.message, /can|кан/u)
    }
    account({ keys: { apiKey: Redacted.make("a b~!") } })
  })

  it("refuses names, numbers and times that make no sense", () => {
    const wrong: ReadonlyArray<config.SmsBatSettings> = [
      { name: "" },
      { name: "two words" },
      { name: "a".repeat(101) },
      { maxBatchSize: 0 },
      { maxBatchSize: 1001 },
      { maxBatchSize: 1.5 },
      { maxBodyBytes: 0 },
      { maxBodyBytes: Number.NaN },
      { maxReplyBytes: -1 },
      { isolationBudget: -1 },
      { isolationBudget: Number.POSITIVE_INFINITY },
      { timeout: 0 },
      { timeout: Duration.infinity },
      { timeout: "-1 second" },
      { maxRetryAfter: Duration.infinity },
      { maxRetryAfter: "-1 second" }
    ]
    for (const settings of wrong) {
      assert.strictEqual(problem({ keys: { apiKey }, ...settings }).option, Object.keys(settings)[0])
    }
    account({
      keys: { apiKey },
      name: "tenant:a.b_c-1",
      isolationBudget: 0,
      maxRetryAfter: 0,
      maxBatchSize: 1
    })
  })
})

describe("whatever it is given", () => {
  const wiped = Redacted.make("wiped")
  Redacted.wipeUnsafe(wiped)
  const keys = oneOf<unknown>(
    spoilt({ apiKey }, ["apiKey", "viberToken", "telegramKey"]),
    pick<unknown>([Redacted.make(secret), Redacted.make(" x"), Redacted.make(5), wiped, "key"]).pipe(
      Arbitrary.map((viberToken) => ({ viberToken }))
    )
  )
  const options = oneOf<unknown>(
    junk,
    Arbitrary.all({ keys, others: spoilt({ ...config.defaults }) }).pipe(
      Arbitrary.map(({ keys, others }) => ({ ...Object(others), keys }))
    )
  )

  /** An account that can be used, or an error that shows nothing of what came. */
  const assertChecked = (result: Result.Result<config.Account, config.SmsBatConfigError>): void => {
    if (Result.isFailure(result)) {
      assert.instanceOf(result.failure, config.SmsBatConfigError)
      return assertSafe(result.failure)
    }
    const { baseUrl, keys, maxBatchSize, propagateTrace, timeout } = result.success
    const url = new URL(baseUrl)
    assert.isTrue(url.protocol === "https:" || /^(?:localhost|127\..+|\[::1\])$/u.test(url.hostname), baseUrl)
    assert.strictEqual(url.username + url.password + url.search + url.hash, "")
    assert.notMatch(baseUrl, /\/$/u)
    assert.isNotEmpty(keys)
    for (const [, key] of keys) assert.isString(Redacted.value(key))
    for (const [, key] of keys) assert.match(Redacted.value(key), /^[\x20-\x7e]+$/u)
    assert.isTrue(Number.isInteger(maxBatchSize) && maxBatchSize >= 1 && maxBatchSize <= 1000)
    assert.isTrue(Duration.isFinite(timeout) && Duration.toMillis(timeout) >= 1)
    assert.isBoolean(propagateTrace)
  }

  it.prop(
    "check gives an account or a SmsBatConfigError",
    [options],
    ([given]) => assertChecked(config.check(given as never)),
    {
      arbitrary: { runs: 4000 }
    }
  )

  it("takes 4,000 addresses for what they are, or refuses them", () => {
    const seeds = [
      "https://restapi.smsbat.com/a/b",
      "http://127.0.0.1:8080/x",
      "http://[::1]:80/",
      "http://localhost/"
    ]
    const tally = { taken: 0, refused: 0 }
    for (const baseUrl of variants(seeds, 1000, 11)) {
      const result = config.check({ keys: { apiKey }, baseUrl })
      assertChecked(result)
      tally[Result.isSuccess(result) ? "taken" : "refused"]++
    }
    assert.isAbove(Math.min(tally.taken, tally.refused), 500)
  })

  it.effect.prop(
    "the environment gives an account or an error that shows no key",
    [
      Arbitrary.array(
        Arbitrary.all({
          name: pick(["SMSBAT_API_KEY", "SMSBAT_VIBER_TOKEN", "SMSBAT_TELEGRAM_KEY", "SMSBAT_BASE_URL"]),
          value: oneOf(
            Arbitrary.schema(Schema.String),
            pick(["", " ", secret, `${secret}\n`, phone, "https://x.example", `https://${secret}@x.example`])
          )
        }),
        { maxLength: 5 }
      )
    ],
    ([variables]) =>
      Effect.gen(function* () {
        const env = ConfigProvider.fromEnvRecord(
          Object.fromEntries(variables.map(({ name, value }) => [name, value]))
        )
        const read = yield* environment.options.pipe(
          Effect.provideService(ConfigProvider.ConfigProvider, env),
          Effect.result
        )
        if (Result.isSuccess(read)) return assertChecked(config.check(read.success))
        assert.instanceOf(read.failure, Config.ConfigError)
        assertSafe(read.failure)
      }),
    { arbitrary: { runs: 2000 } }
  )
})

describe("baseUrl", () => {
  const taken: ReadonlyArray<readonly [string, string]> = [
    ["https://restapi.smsbat.com", "https://restapi.smsbat.com"],
    ["https://restapi.smsbat.com/", "https://restapi.smsbat.com"],
    ["https://RESTAPI.smsbat.com:443//", "https://restapi.smsbat.com"],
    ["https://gateway.example:8443/smsbat/v1/", "https://gateway.example:8443/smsbat/v1"],
    ["http://localhost:8080", "http://localhost:8080"],
    ["http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"],
    ["http://127.8.9.1", "http://127.8.9.1"],
    ["http://127.1", "http://127.0.0.1"],
    ["http://[::1]:80/", "http://[::1]"]
  ]
  for (const [baseUrl, expected] of taken) {
    it(`takes ${baseUrl}`, () => assert.strictEqual(account({ keys: { apiKey }, baseUrl }).baseUrl, expected))
  }

  const refused = [
    "",
    "restapi.smsbat.com",
    "/api",
    "//restapi.smsbat.com",
    "ftp://restapi.smsbat.com",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "http://restapi.smsbat.com",
    "http://10.0.0.1",
    "http://0.0.0.0",
    "http://128.0.0.1",
    "http://127.0.0.1.example",
    "http://localhost.example",
    "http://[::2]",
    "https://canary:canary@restapi.smsbat.com",
    "https://canary@restapi.smsbat.com",
    "https://restapi.smsbat.com?key=canary",
    "https://restapi.smsbat.com/?",
    "https://restapi.smsbat.com/#canary",
    "https://restapi.smsbat.com/#",
    "https://"
  ]
  for (const baseUrl of refused) {
    it(`refuses ${baseUrl}, without repeating it`, () => {
      const error = problem({ keys: { apiKey }, baseUrl })
      assert.strictEqual(error.option, "baseUrl")
      assert.notInclude(error.message, "canary")
    })
  }
})
