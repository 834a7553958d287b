/**
 * The names of the tables of delivery status, quoted once, beside those of the outbox in the same schema.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

export interface StatusTables {
  readonly deliveryStatus: Fragment
  readonly statusPause: Fragment
}

export const make = (sql: SqlClient.SqlClient, schema: string): StatusTables => {
  const table = (name: string) => sql.literal(`"${schema}"."${name}"`)
  return { deliveryStatus: table("delivery_status"), statusPause: table("status_pause") }
}
