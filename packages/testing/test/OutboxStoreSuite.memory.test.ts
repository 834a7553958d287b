import * as MemoryOutboxStore from "../src/MemoryOutboxStore.ts"
import { suite } from "../src/suites/OutboxStoreSuite.ts"

suite({
  name: "MemoryOutboxStore",
  layer: MemoryOutboxStore.layer,
  features: { clock: "test", runs: 300 }
})
