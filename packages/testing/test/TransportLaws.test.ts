/**
 * The laws themselves: a transport that keeps to its contract passes all of them, and each way of breaking it is found.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as TransportLaws from "../src/suites/TransportLaws.ts"
import { broken, features, specOf } from "./support/brokenTransports.ts"
import { makeProvider, soundTransport } from "./support/provider.ts"

describe("the laws", () => {
  it.live("are kept by a sound transport", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* TransportLaws.broken(specOf((_, sound) => sound)), [])
    })
  )

  for (const [name, spec, laws] of broken) {
    it.live(`find one that ${name}`, () =>
      Effect.gen(function* () {
        const found = (yield* TransportLaws.broken(spec)).map(({ law }) => law)
        for (const { title } of laws) assert.include(found, title)
      })
    )
  }

  it("are each needed for something", () => {
    const needed = new Set(broken.flatMap(([, , laws]) => laws))
    assert.deepStrictEqual(
      TransportLaws.all.filter((law) => !needed.has(law)).map(({ title }) => title),
      []
    )
  })

  it.live("say what was found, without phone numbers, texts and keys", () =>
    Effect.gen(function* () {
      for (const [, spec] of broken) {
        for (const { message } of yield* TransportLaws.broken(spec)) {
          for (const secret of ["secret-key", "secret-canary", ...TransportLaws.phones]) {
            assert.notInclude(message, secret)
          }
        }
      }
    })
  )

  it.live("apply as far as the features say enough", () =>
    Effect.gen(function* () {
      const titles = (some: TransportLaws.TransportFeatures<never>) =>
        TransportLaws.all.filter((law) => !law.appliesTo(some)).map(({ title }) => title)
      assert.deepStrictEqual(titles(features), [])
      assert.deepStrictEqual(
        titles({}),
        [
          TransportLaws.deniesTruly,
          TransportLaws.acceptsTruly,
          TransportLaws.sendsOnce,
          TransportLaws.tellsLaneFaults,
          TransportLaws.doubtsWhatIsLost,
          TransportLaws.isolatesTheBad,
          TransportLaws.judgesAlone
        ].map(({ title }) => title)
      )
      const blind = { make: specOf((_, sound) => sound).make }
      assert.deepStrictEqual(yield* TransportLaws.broken(blind), [])
    })
  )

  it.live("hand on what fails in the making", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(TransportLaws.broken({ make: Effect.fail("no such server") }))
      assert.strictEqual(error, "no such server")
    })
  )

  it.live("close the scope of what they made", () =>
    Effect.gen(function* () {
      let [opened, closed] = [0, 0]
      const make = Effect.acquireRelease(
        Effect.sync(() => {
          opened++
          return { control: undefined, transport: soundTransport(makeProvider()) }
        }),
        () =>
          Effect.sync(() => {
            closed++
          })
      )
      yield* TransportLaws.broken({ make })
      assert.isAbove(opened, 0)
      assert.strictEqual(closed, opened)
    })
  )
})
