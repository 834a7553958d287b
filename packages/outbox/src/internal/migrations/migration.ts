/**
 * A step in the life of the outbox's tables, as plain SQL: what is run and what is handed out as text are the same.
 *
 * Statements are told the schema, and name every table with it. None of them takes a parameter.
 */

export interface Migration {
  readonly id: number
  readonly name: string
  readonly statements: (schema: string) => ReadonlyArray<string>
}

/** `0001_create_outbox` */
export const fullName = ({ id, name }: Pick<Migration, "id" | "name">): string =>
  `${String(id).padStart(4, "0")}_${name}`

/** Everything that a migration does, up to writing down that it was done. */
export const complete = (migration: Migration, schema: string): ReadonlyArray<string> => [
  ...migration.statements(schema).map(dedent),
  `INSERT INTO ${table(schema, "migration")} (migration_id, name) VALUES (${migration.id}, '${migration.name}')`
]

/** A table's name, quoted, so that a schema may be called like a word of SQL. */
export const table = (schema: string, name: string): string => `"${schema}".${name}`

/** Removes the indentation that a statement has from standing in a program. */
const dedent = (text: string): string => {
  const lines = text.replace(/^\n/u, "").split("\n")
  const indent = Math.min(
    ...lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length)
  )
  return lines.map((line) => line.slice(indent)).join("\n")
}
