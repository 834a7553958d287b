import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { WebCrypto } from "effect/crypto"
import * as secrets from "../../../src/internal/status/secret.ts"

const secret = "k3mJ8cV0w1ZxQ7rT5yB2nA"

describe("matcher", () => {
  it.effect("knows the secret from everything else", () =>
    Effect.gen(function* () {
      const isSecret = yield* secrets.matcher(Redacted.make(secret))
      assert.isTrue(yield* isSecret(secret))
      const others = [
        "",
        secret.slice(0, -1),
        `${secret}A`,
        `${secret}\u0000`,
        ` ${secret}`,
        secret.toLowerCase(),
        "x".repeat(1_000_000),
        "\ud800",
        // Every one that differs in one place.
        ...Array.from(secret, (_, at) => `${secret.slice(0, at)}-${secret.slice(at + 1)}`)
      ]
      for (const other of others) assert.isFalse(yield* isSecret(other))
    })
  )

  it.effect("lets nobody in where the platform fails to compute", () =>
    Effect.gen(function* () {
      const broken = new Proxy(globalThis.crypto, {
        get: (target, key) =>
          key === "subtle"
            ? new Proxy(target.subtle, {
                get: (subtle, name) =>
                  name === "verify"
                    ? () => Promise.reject(new DOMException("no", "NotSupportedError"))
                    : Reflect.get(subtle, name, subtle).bind(subtle)
              })
            : Reflect.get(target, key, target).bind(target)
      })
      const isSecret = yield* Effect.provideService(
        secrets.matcher(Redacted.make(secret)),
        WebCrypto.WebCrypto,
        broken
      )
      assert.isFalse(yield* isSecret(secret))
    })
  )
})

describe("isUsable", () => {
  it("takes what is long enough and stands in a path as it is", () => {
    for (const good of [secret, "a".repeat(22), "A-_9".repeat(25)]) {
      assert.isTrue(secrets.isUsable(Redacted.make(good)))
    }
    for (const bad of [
      "",
      "a".repeat(21),
      "a".repeat(101),
      `${secret}/`,
      `${secret}%`,
      `${secret} `,
      `${secret}\n`
    ]) {
      assert.isFalse(secrets.isUsable(Redacted.make(bad)))
    }
  })
})
