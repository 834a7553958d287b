/**
 * Whether the state of a row gives way to another one.
 *
 * Which states give way is decided by core's `DeliveryStatus.advance` and passed in by name, so that the order of
 * states stands in one place. A state that this version does not know gives way to none.
 */
import * as DeliveryStatus from "@effect-cascade/core/DeliveryStatus"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

/** A condition on a row of `delivery_status`, by its alias. Without a state it is false. */
export const givesWay = (
  sql: SqlClient.SqlClient,
  alias: string,
  state: DeliveryStatus.DeliveryState | undefined
): Fragment => {
  if (state === undefined) return sql.literal("false")
  const status = sql.literal(`${alias}.status`)
  const confirmed = sql.literal(`${alias}.confirmed`)
  return sql`
        (
          ${status} IS NULL
          OR ${status} || CASE WHEN ${confirmed} THEN '+' ELSE '' END = ANY (${weakerThan(state)}::text[])
        )`
}

const nameOf = ({ confirmed, status }: DeliveryStatus.DeliveryState): string =>
  confirmed ? `${status}+` : status

const states: ReadonlyArray<DeliveryStatus.DeliveryState> = DeliveryStatus.DeliveryStatus.literals.flatMap(
  (status) => [
    { status, confirmed: false },
    { status, confirmed: true }
  ]
)

/** The names of the states that a state supersedes. */
const weakerThan = (state: DeliveryStatus.DeliveryState): ReadonlyArray<string> =>
  states.filter((other) => nameOf(DeliveryStatus.joinStates(other, state)) !== nameOf(other)).map(nameOf)
