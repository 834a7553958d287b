import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { canary } from "./support/canaries.ts"
import { spoilt } from "./support/cases.ts"
import { coreCases, coreExcused } from "./support/coreCases.ts"
import { outboxCases, outboxExcused } from "./support/outboxCases.ts"
import { type Export, exportsOf } from "./support/operations.ts"
import { testingCases, testingExcused } from "./support/testingCases.ts"
import * as Witness from "./support/witness.ts"

const swept = [
  { library: "core", cases: coreCases, excused: coreExcused },
  { library: "outbox", cases: outboxCases, excused: outboxExcused },
  { library: "testing", cases: testingCases, excused: testingExcused }
] as const

for (const { cases, excused, library } of swept) {
  describe(`every public operation of ${library}`, () => {
    const covered = new Set<string>()
    for (const { covers } of cases) for (const name of covers) covered.add(name)

    it("is swept, or excused for a reason", async () => {
      const operations = (await exportsOf(library)).filter(({ kind }) => kind === "operation")
      assert.isAbove(operations.length, 10)
      const missing = operations.filter(({ name }) => !covered.has(name) && excused[name] === undefined)
      assert.deepStrictEqual(
        missing.map(({ name }) => name),
        [],
        "write a case for it, or say in the excuses why nothing personal passes through it"
      )
    })

    it("is there: no case and no excuse outlives its operation", async () => {
      const names = new Set((await exportsOf(library)).map(({ name }) => name))
      const gone = [...covered, ...Object.keys(excused)].filter(
        (name) => !names.has(name) && !names.has(name.split("#")[0] ?? "")
      )
      assert.deepStrictEqual(gone, [])
    })

    it("of a service is swept too", async () => {
      const services = (await exportsOf(library)).filter(({ kind }) => kind === "service")
      const uncovered = services.filter(
        ({ name }) => excused[name] === undefined && ![...covered].some((each) => each.startsWith(`${name}#`))
      )
      assert.deepStrictEqual(
        uncovered.map(({ name }) => name),
        []
      )
    })

    it("that is a schema refuses what it does not know without repeating it", async () => {
      const schemas = (await exportsOf(library)).filter(({ kind }) => kind === "schema")
      for (const schema of schemas) refuses(schema)
    })
  })
}

const inputs: Array<unknown> = [
  canary.phone,
  canary.phone.slice(1),
  Number(canary.phone.slice(1)),
  `${canary.text}\u0000`,
  [canary.text, canary.phone],
  spoilt,
  { ...spoilt, _tag: "Transaction", toPhone: canary.phone }
]

const { text } = canary
const tags = ["Enqueued", "Accepted", "Dead", "StatusChanged", "NotSent", "Unknown", "Rejected", "Latency"]
for (const _tag of tags) {
  inputs.push({ ...spoilt, _tag, trackingId: [text], reason: text, at: text, status: text, code: [text] })
}

const refuses = ({ name, value }: Export): void => {
  // An export of this kind is a schema, with whatever services.
  const schema = value as Schema.Codec<unknown>
  const witness = Witness.make()
  for (const codec of [schema, Schema.toCodecJson(schema)]) {
    for (const input of inputs) {
      const exit = Effect.runSyncExit(Effect.exit(Schema.decodeUnknownEffect(codec)(input)))
      if (exit._tag === "Success" && exit.value._tag === "Failure") {
        witness.see(name, exit.value.cause)
        for (const reason of exit.value.cause.reasons) {
          if (reason._tag === "Fail") witness.see(name, reason.error)
        }
      }
    }
  }
  assert.deepStrictEqual(witness.leaks().slice(0, 3), [], name)
}

describe("the list of operations", () => {
  it("notices an export that nobody sweeps", async () => {
    const all = await exportsOf("core")
    const names = all.map(({ name }) => name)
    assert.includeMembers(names, [
      "core/Message.make",
      "core/Cascade.send",
      "core/Cascade.layer",
      "core/Cascade.Cascade"
    ])
    const kinds = new Set(all.map(({ kind }) => kind))
    assert.deepStrictEqual([...kinds].sort(), ["constant", "operation", "schema", "service"])
    assert.isTrue(Context.isKey(Context.Service("canary/Any")))
    assert.isTrue(Layer.isLayer(Layer.empty))
  })
})
