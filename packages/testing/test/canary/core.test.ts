import { describe, it } from "@effect/vitest"
import { coreCases } from "./support/coreCases.ts"
import { sweep } from "./support/sweep.ts"

describe("core says nothing of", () => {
  for (const one of coreCases) it.live(one.name, () => sweep(one))
})
