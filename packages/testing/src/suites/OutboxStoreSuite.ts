/**
 * The promises of `OutboxStore` as tests: what every store has to pass, whatever it stores in.
 *
 * For those who write one. Call {@link suite} in a test file of Vitest; it declares one test for each promise of
 * `OutboxStore`, and a random one that compares the store with a model of a few lines. It is a module of its own
 * because it imports `@effect/vitest`, which nothing else of this package needs.
 *
 * @example
 * ```ts
 * import { suite } from "@effect-cascade/testing/suites/OutboxStoreSuite"
 * import { MyOutboxStore } from "./MyOutboxStore.ts"
 *
 * suite({ name: "MyOutboxStore", layer: MyOutboxStore.layer, features: { clock: "live" } })
 * ```
 */
import { layer } from "@effect/vitest"
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { EnqueuedMessages } from "../EnqueuedMessages.ts"
import { claiming } from "../internal/suites/outboxStore/claiming.ts"
import { commandSequences } from "../internal/suites/outboxStore/commands.ts"
import { expiring } from "../internal/suites/outboxStore/expiring.ts"
import { inserting } from "../internal/suites/outboxStore/inserting.ts"
import { lanes } from "../internal/suites/outboxStore/lanes.ts"
import { agreesWithModel } from "../internal/suites/outboxStore/modelRun.ts"
import { racing } from "../internal/suites/outboxStore/racing.ts"
import { settling } from "../internal/suites/outboxStore/settling.ts"
import { sharing, waking } from "../internal/suites/outboxStore/waking.ts"
import * as Worlds from "../internal/suites/outboxStore/world.ts"

/** What a store can do, and what the suite may use. */
export interface OutboxStoreFeatures<R> {
  /**
   * Whose time a store goes by: `test` where the Effect `Clock` is all it knows, so that a `TestClock` drives it;
   * `live` where it has a clock of its own. Then leases of some milliseconds run out while the tests wait for it.
   */
  readonly clock: "test" | "live"
  /**
   * A store of another process on the same data. Defaults to none: then what processes promise each other is not
   * tested.
   */
  readonly another?: Effect.Effect<OutboxStoreShape, unknown, R | Scope.Scope> | undefined
  /** How many random sequences are compared with the model. Defaults to 100. */
  readonly runs?: number | undefined
  /**
   * What the random sequences are drawn from; the name of their test says it. Defaults to another number each time.
   */
  readonly seed?: number | undefined
}

/** A store to be tested. */
export interface OutboxStoreSuiteOptions<R, E> {
  /** The name of the block of tests. */
  readonly name: string
  /**
   * The store, empty or not: tests keep to accounts of their own. With `EnqueuedMessages` in it, the random test also
   * compares what is stored; the layers for memory and Postgres have one.
   */
  readonly layer: Layer.Layer<OutboxStore | R, E>
  readonly features: OutboxStoreFeatures<NoInfer<R> | OutboxStore>
}

const defaults = { runs: 100 }

/** Declares the tests of a store. */
export const suite = <R, E>({ features, layer: storeLayer, name }: OutboxStoreSuiteOptions<R, E>): void => {
  const runs = features.runs ?? defaults.runs
  const seed = features.seed ?? Number.parseInt(SecureRandom.uuidV4Unsafe().slice(0, 8), 16)

  layer(storeLayer, { excludeTestServices: features.clock === "live" })(name, (it) => {
    const world = Effect.gen(function* () {
      const context = yield* Effect.context<R | OutboxStore>()
      const messages = Option.getOrUndefined(yield* Effect.serviceOption(EnqueuedMessages))
      return Worlds.make({
        store: yield* OutboxStore,
        clock: features.clock,
        another:
          features.another === undefined ? undefined : Effect.provideContext(features.another, context),
        messages: messages?.all
      })
    })
    const test: Worlds.DefineTest = (title, body) => it.effect(title, () => Effect.flatMap(world, body))

    inserting(test)
    racing(test)
    claiming(test)
    settling(test)
    expiring(test)
    lanes(test)
    waking(test)
    if (features.another !== undefined) sharing(test)

    it.effect.prop(
      `agrees with the model in ${runs} random sequences (seed ${seed})`,
      [commandSequences],
      ([commands]) => Effect.scoped(Effect.flatMap(world, (fresh) => agreesWithModel(fresh, commands))),
      { arbitrary: { runs, seed, size: 150, maxShrinks: 200 }, timeout: 300_000 }
    )
  })
}
