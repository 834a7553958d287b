/**
 * The contract of a `Transport` as tests: what every transport has to pass, however it sends.
 *
 * For those who write one. Call {@link suite} in a test file of Vitest; it declares one test for each of the laws in
 * `TransportLaws`, as far as the features say enough for it. It is a module of its own because it
 * imports `@effect/vitest`, which nothing else of this package needs.
 *
 * @example
 * ```ts
 * import { suite } from "@effect-cascade/testing/suites/TransportSuite"
 * import { Effect } from "effect"
 * import { makeGateway } from "./support/gateway.ts"
 * import { MyTransport } from "../src/MyTransport.ts"
 *
 * suite({
 *   name: "MyTransport",
 *   make: Effect.gen(function* () {
 *     const gateway = yield* makeGateway
 *     return { control: gateway, transport: yield* MyTransport.make({ url: gateway.url, key: "s3cret" }) }
 *   }),
 *   features: {
 *     received: (gateway) => gateway.receivedIds,
 *     rejects: { toPhone: "+380000000007" },
 *     secrets: ["s3cret"],
 *     faults: {
 *       throttled: (gateway) => gateway.answerWith(429),
 *       lost: (gateway) => gateway.resetAfterAccepting,
 *       restored: (gateway) => gateway.answerNormally
 *     }
 *   }
 * })
 * ```
 */
import { describe, it } from "@effect/vitest"
import * as TransportLaws from "./TransportLaws.ts"

/** A transport to be tested. */
export interface TransportSuiteOptions<Control, E> extends TransportLaws.TransportSpec<Control, E> {
  /** The name of the block of tests. */
  readonly name: string
  /** How long one test may take, in milliseconds. Defaults to 60,000. */
  readonly timeout?: number | undefined
}

const defaults = { timeout: 60_000 }

/** Declares the tests of a transport. They run on the live clock, one after another. */
export const suite = <Control, E>(options: TransportSuiteOptions<Control, E>): void => {
  describe(options.name, () => {
    for (const law of TransportLaws.all) {
      if (!law.appliesTo(options.features ?? {})) continue
      it.live(law.title, () => law.check(options), options.timeout ?? defaults.timeout)
    }
  })
}
