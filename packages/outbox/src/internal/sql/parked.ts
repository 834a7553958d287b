/**
 * Which messages wait for an operator: the ones whose end is `dead`, `uncertain` or `expired`, and still stands.
 *
 * An end is superseded by whatever an operator does about it, in the same statement. So the flag alone tells whether
 * it stands, the index holds none but those that do, and of two operators who lock the row the second one sees it.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { ParkedFilter, RecoverableState } from "../../OutboxAdminStore.ts"

/**
 * The outcome is an end of this kind and stands. For reading them by outcome_parked_idx: written out, since a
 * parameter would hide from the planner that the index serves.
 */
export const stands = (
  sql: SqlClient.SqlClient,
  states: NonEmptyReadonlyArray<RecoverableState>
): Fragment => {
  const [first, ...rest] = quoted(states)
  const kind = rest.length === 0 ? `= ${first}` : `IN (${[first, ...rest].join(", ")})`
  return sql.literal(`outcome.kind ${kind} AND NOT outcome.superseded`)
}

/**
 * The same, for finding them by their ids. The kind is hidden, since an index that seems to be empty would be read as
 * a whole for each id.
 */
export const standsThere = (
  sql: SqlClient.SqlClient,
  states: NonEmptyReadonlyArray<RecoverableState>
): Fragment => sql.literal(`outcome.kind || '' IN (${quoted(states).join(", ")}) AND NOT outcome.superseded`)

// Letters only: a program without types may hand on whatever it was asked for.
const quoted = (states: ReadonlyArray<string>) =>
  states.map((state) => `'${String(state).replace(/[^a-z]/gu, "?")}'`)

/** What an operator narrows them down by. */
export const matches = (sql: SqlClient.SqlClient, filter: ParkedFilter): Fragment => {
  // Absent values travel as empty text: a null alone has no type.
  const account = filter.account ?? ""
  const messageType = filter.messageType ?? ""
  const reasonTag = filter.reasonTag ?? ""
  return sql`(${account}::text = '' OR message.account = ${account})
        AND (${messageType}::text = '' OR message.message_type = ${messageType})
        AND (${reasonTag}::text = '' OR outcome.reason ->> '_tag' = ${reasonTag})`
}
