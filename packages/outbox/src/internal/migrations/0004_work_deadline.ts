/**
 * The deadline beside the work that it ends, so that what is too late can be found in lanes that nobody claims from.
 *
 * Rows that were there before, and those that older writers add, have none here: they expire when they are claimed, as
 * they did. Never edited once released; what changes later is another migration.
 */
import { type Migration, table } from "./migration.ts"

export const workDeadline: Migration = {
  id: 4,
  name: "work_deadline",
  statements: (schema) => {
    const work = table(schema, "work")
    return [
      // A copy: a message's deadline changes only where an operator requeues it, which makes another row of this table.
      `ALTER TABLE ${work} ADD COLUMN deadline timestamptz`,

      // No column that a claim updates, here as in the other index, so that claims rewrite no index (HOT).
      `CREATE INDEX work_deadline_idx ON ${work} (deadline) WHERE deadline IS NOT NULL`
    ]
  }
}
