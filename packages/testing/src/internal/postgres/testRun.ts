/**
 * The run of tests that databases belong to, and the names that say so.
 */
import { createHash, randomBytes } from "node:crypto"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** The variable by which the processes of one run know each other. */
export const runIdVariable = "CASCADE_TEST_RUN_ID"

/** Begins the name of every test database. */
export const databasePrefix = "cascade_test_"

/** Begins the name of every template. */
export const templatePrefix = "cascade_tpl_"

/** A run of tests, of one process or of many. */
export interface TestRun {
  /** Twelve hexadecimal digits. */
  readonly id: string
  /** Whether other processes belong to it, and somebody who drops its databases at the end. */
  readonly shared: boolean
}

/** Draws the id of a new run. */
export const drawRunId = (): string => randomBytes(6).toString("hex")

/** The run of every process whose `CASCADE_TEST_RUN_ID` has this value. */
export const sharedRun = (name: string): TestRun => ({ id: digest(name, 12), shared: true })

/** The run this process belongs to: the one that `CASCADE_TEST_RUN_ID` names, or one of its own. */
export const currentRun: Effect.Effect<TestRun> = Config.option(Config.String(runIdVariable)).pipe(
  Effect.orElseSucceed(() => Option.none<string>()),
  Effect.map(Option.filter((id) => id !== "")),
  Effect.map(
    Option.match({
      onNone: () => ({ id: (ownId ??= drawRunId()), shared: false }),
      onSome: sharedRun
    })
  )
)

let ownId: string | undefined

/** A name for a new database of a run; no two are alike. */
export const drawDatabaseName = (run: TestRun): string =>
  `${databasePrefix}${run.id}_${randomBytes(6).toString("hex")}`

/** The name of a run's template: the same in all its processes, and readable as far as Postgres has room. */
export const templateName = (run: TestRun, name: string): string => {
  const readable = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .slice(0, 24)
  return `${templatePrefix}${readable}_${run.id}${digest(name, 8)}`
}

const digest = (text: string, length: number): string =>
  createHash("sha256").update(text).digest("hex").slice(0, length)
