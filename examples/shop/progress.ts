/**
 * Shows how far the run is: a bar on a terminal, a line now and then elsewhere.
 */
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Database } from "./places.ts"

/** Done when every message in the outbox has ended. */
export const untilDone = Effect.fn("untilDone")(function* (say: (line: string) => Effect.Effect<void>) {
  const sql = yield* SqlClient.SqlClient
  const { schema } = yield* Database
  const terminal = process.stdout.isTTY
  let waits = 0
  while (true) {
    const [counts] = yield* sql<{ readonly total: number; readonly waiting: number }>`
      SELECT
        (SELECT count(*) FROM ${sql(`${schema}.message`)})::int AS total,
        (SELECT count(*) FROM ${sql(`${schema}.work`)})::int AS waiting`
    const { total, waiting } = counts ?? { total: 0, waiting: 0 }
    const done = total - waiting
    if (terminal) process.stdout.write(`\r${bar(done, total)} ${done} of ${total} messages ended `)
    else if (waits % 10 === 0 || waiting === 0) yield* say(`${done} of ${total} messages ended`)
    if (waiting === 0) break
    waits++
    yield* Effect.sleep(Duration.millis(200))
  }
  if (terminal) process.stdout.write("\n")
})

const bar = (done: number, total: number): string => {
  const filled = total === 0 ? 0 : Math.floor((done / total) * 30)
  return `[${"#".repeat(filled)}${".".repeat(30 - filled)}]`
}
