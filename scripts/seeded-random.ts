// Gives each test file its own fixed stream of random numbers, so that a run of the suite can be repeated: property
// tests draw the same cases until somebody asks for others. `CASCADE_TEST_SEED=7 pnpm test` draws the cases of seed 7,
// `CASCADE_TEST_SEED=random` new ones in each run; a failing property prints what to replay it with.
import { createHash } from "node:crypto"
import { relative } from "node:path"
import { expect } from "vitest"

const seed = process.env["CASCADE_TEST_SEED"] ?? "1"

// Effect's Random, its jitter and its arbitraries all draw from `Math.random` when nothing else is given.
if (seed !== "random") {
  const file = relative(import.meta.dirname, expect.getState().testPath ?? "")
  let state = createHash("sha256").update(`${seed} ${file}`).digest().readUInt32LE(0)
  // mulberry32: a whole period of 2^32 from any start.
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
