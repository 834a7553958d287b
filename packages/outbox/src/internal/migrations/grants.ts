/**
 * The least that each role needs, column by column where a table holds more than it may see or change.
 *
 * What locks a row (`FOR UPDATE`) needs the right to update some column of it; what names a constraint
 * (`ON CONFLICT ON CONSTRAINT`) needs the right to read its columns.
 */
import { table } from "./migration.ts"

export interface Roles {
  readonly writer: string | undefined
  readonly relay: string | undefined
  readonly admin: string | undefined
}

export const roleRule = "1 to 63 bytes of whole characters, without a control character"

/**
 * Whether this can be the name of a role. Names beyond 63 bytes would be cut, and half characters written as another
 * one; both would mean another role.
 */
export const isRole = (role: string): boolean =>
  role !== "" &&
  // oxlint-disable-next-line no-control-regex -- the very characters that are refused
  !/[\u0000-\u001f\u007f\p{Surrogate}]/u.test(role) &&
  new TextEncoder().encode(role).length <= 63

export const statements = (schema: string, roles: Roles): ReadonlyArray<string> => [
  ...of(roles.writer, schema, writer),
  ...of(roles.relay, schema, relay),
  ...of(roles.admin, schema, admin)
]

type Rights = (on: (name: string) => string) => ReadonlyArray<string>

const writer: Rights = (on) => [
  `INSERT (id, account, tracking_id, lane, message_type, uncertainty, payload, created_at, deadline, traceparent) ON ${on("message")}`,
  // To see whether the tracking id is there already. Never the payload.
  `SELECT (id, account, tracking_id) ON ${on("message")}`,
  `INSERT (message_id, lane, due_at, deadline) ON ${on("work")}`,
  `EXECUTE ON FUNCTION ${on("find_existing")}(text[], text[], text[], text[])`,
  // To know what became of its messages.
  `SELECT (message_id, provider_message_id, status, confirmed, next_check_at, checks, accepted_at, updated_at) ON ${on("delivery_status")}`
]

const relay: Rights = (on) => [
  `SELECT (id, account, tracking_id, message_type, uncertainty, payload, created_at, deadline, traceparent) ON ${on("message")}`,
  `SELECT, DELETE ON ${on("work")}`,
  `UPDATE (due_at, lease, leased_at, lease_until, started, finished, attempts) ON ${on("work")}`,
  `INSERT (message_id, lease, kind, attempt, reason, provider_message_id, relay) ON ${on("outcome")}`,
  // To see whether it has written an outcome before, when the answer to that was lost.
  `SELECT (message_id, lease, kind, relay) ON ${on("outcome")}`,
  `SELECT, DELETE ON ${on("lane")}`,
  `INSERT (lane, paused_until, probe_until, reason, trips, updated_at) ON ${on("lane")}`,
  `UPDATE (paused_until, probe_until, reason, trips, updated_at) ON ${on("lane")}`,
  `SELECT, INSERT, UPDATE, DELETE ON ${on("rate_limit")}`,
  // Trackers have the role of relays.
  `SELECT, INSERT (message_id, account, provider_message_id, next_check_at) ON ${on("delivery_status")}`,
  `UPDATE (status, confirmed, next_check_at, lease, lease_until, checks, misses, checked_at, updated_at) ON ${on("delivery_status")}`,
  `SELECT, INSERT, UPDATE ON ${on("status_pause")}`
]

const admin: Rights = (on) => [
  `SELECT, DELETE ON ${on("message")}`,
  `UPDATE (deadline, payload) ON ${on("message")}`,
  `SELECT, DELETE ON ${on("work")}`,
  `INSERT (message_id, lane, due_at, lease, attempts, deadline) ON ${on("work")}`,
  `UPDATE (due_at) ON ${on("work")}`,
  `SELECT, DELETE ON ${on("outcome")}`,
  `INSERT (message_id, lease, kind, attempt, reason, relay, superseded) ON ${on("outcome")}`,
  `UPDATE (superseded) ON ${on("outcome")}`,
  `SELECT, INSERT, UPDATE, DELETE ON ${on("lane")}`,
  `SELECT, DELETE ON ${on("delivery_status")}`
]

const of = (role: string | undefined, schema: string, rights: Rights): ReadonlyArray<string> => {
  if (role === undefined) return []
  const on = (name: string) => table(schema, name)
  return [
    `USAGE ON SCHEMA "${schema}"`,
    // So that a program can verify the migrations when it starts.
    `SELECT ON ${on("migration")}`,
    ...rights(on)
  ].map((right) => `GRANT ${right} TO "${role.replaceAll('"', '""')}"`)
}
