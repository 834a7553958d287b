import { describe, it } from "@effect/vitest"
import { sweep } from "./support/sweep.ts"
import { testingCases } from "./support/testingCases.ts"

describe("testing says nothing of", () => {
  for (const one of testingCases) it.live(one.name, () => sweep(one))
})
