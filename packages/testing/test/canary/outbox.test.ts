import { describe, layer } from "@effect/vitest"
import { database, outboxCases } from "./support/outboxCases.ts"
import { sweep } from "./support/sweep.ts"

describe("outbox", () => {
  layer(database, { excludeTestServices: true })("says nothing of", (it) => {
    for (const one of outboxCases) it.effect(one.name, () => sweep(one))
  })
})
