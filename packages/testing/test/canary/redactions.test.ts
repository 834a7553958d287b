/**
 * Each redaction is there for something: with any one of them taken away the sweep finds a leak.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterEach, beforeEach, vi } from "vitest"
import type { Case } from "./support/cases.ts"

const core = "../../../core/src"

/** A module, what takes the place of some of its exports, and the cases that must notice. */
interface Removal {
  readonly name: string
  readonly module: string
  readonly instead: Readonly<Record<string, unknown>>
  readonly cases: (name: string) => boolean
  readonly canary: string
}

const same = (value: unknown): unknown => value

const removals: ReadonlyArray<Removal> = [
  {
    name: "the mask of phone numbers",
    module: `${core}/internal/mask.ts`,
    instead: { phone: same },
    cases: (name) =>
      name.startsWith("Message.make: a Transaction") || name.startsWith("ConsoleTransport.layer"),
    canary: "phone"
  },
  {
    name: "the mask of texts",
    module: `${core}/internal/mask.ts`,
    instead: { text: same },
    cases: (name) => name.startsWith("Message.make: a ViberSurvey"),
    canary: "option"
  },
  {
    name: "the printed form of messages and envelopes",
    module: `${core}/internal/maskedClass.ts`,
    instead: { install: () => undefined },
    cases: (name) => name.startsWith("Message.make: a Promo"),
    canary: "text"
  },
  {
    name: "the rule that errors in other people's code are not repeated",
    module: `${core}/CauseSummary.ts`,
    instead: { of: (cause: unknown) => [cause], ofError: same },
    cases: (name) => name === "SendTelemetry.observe: over a transport that dies",
    canary: "apiKey"
  },
  {
    name: "the rule that the provider's words are dropped",
    module: `${core}/internal/smsbat/errorBody.ts`,
    instead: { parse: (text: string) => ({ code: text }) },
    cases: (name) => name.startsWith("SmsBatTransport.make: a provider that answers 400"),
    canary: "text"
  },
  {
    name: "the span that ends with a summary",
    module: `${core}/internal/discreetSpan.ts`,
    instead: { withSpan: Effect.withSpan },
    cases: (name) => name === "SendTelemetry.observe: a send that dies",
    canary: "text"
  },
  {
    name: "the summary of a handler's failure",
    module: `${core}/internal/status/handlerFailed.ts`,
    instead: { summarised: same },
    cases: (name) => name.endsWith("a handler that fails"),
    canary: "text"
  },
  {
    name: "the rule that of a client's error only the code is kept",
    module: `${core}/internal/smsbat/connectFailure.ts`,
    instead: { classify: (error: unknown) => ({ kind: "lost", code: String(error) }) },
    cases: (name) => name.startsWith("SmsBatTransport.make: a provider that reset"),
    canary: "text"
  },
  {
    name: "the words of the database",
    module: "../../../outbox/src/SqlFailure.ts",
    instead: {
      detail: (error: { readonly reason: { readonly cause: Error } }) => error.reason.cause.message
    },
    cases: (name) => name.startsWith("SqlFailure.code"),
    canary: "text"
  }
]

const casesNow = async (): Promise<ReadonlyArray<Case<never>>> => {
  const { coreCases } = await import("./support/coreCases.ts")
  const { outboxCases } = await import("./support/outboxCases.ts")
  // Those that are chosen here need nothing but a scope.
  return [...coreCases, ...outboxCases] as unknown as ReadonlyArray<Case<never>>
}

describe("without", () => {
  beforeEach(() => {
    vi.resetModules()
  })
  afterEach(() => {
    vi.doUnmock("../../../outbox/src/SqlFailure.ts")
    for (const { module } of removals) vi.doUnmock(module)
  })

  for (const { canary, cases, instead, module, name } of removals) {
    it.live(`${name} the sweep finds a leak`, () =>
      Effect.gen(function* () {
        vi.doMock(module, async (original) => ({ ...(await original<object>()), ...instead }))
        const { leaksOf } = yield* Effect.promise(() => import("./support/sweep.ts"))
        const chosen = (yield* Effect.promise(casesNow)).filter((one) => cases(one.name))
        assert.isNotEmpty(chosen)
        const leaks = (yield* Effect.forEach(chosen, (one) => leaksOf(one))).flat()
        assert.isTrue(
          leaks.some((leak) => leak.startsWith(`${canary} in `)),
          `nobody noticed; found only: ${leaks.slice(0, 3).join("; ")}`
        )
      })
    )
  }
})
