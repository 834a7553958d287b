import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { makeRole } from "./roles.ts"

/** What the migrations make of an empty database, as the file holds it that `command` writes. */
export const freshDump = (command: string) =>
  Effect.gen(function* () {
    const names = yield* OutboxMigrations.run()
    const roles = {
      writer: yield* makeRole("writer"),
      relay: yield* makeRole("relay"),
      admin: yield* makeRole("admin")
    }
    yield* OutboxMigrations.applyGrants(roles)
    let text = yield* dumpSchema(OutboxMigrations.defaultSchema)
    for (const [duty, name] of Object.entries(roles)) text = text.replaceAll(name, `cascade_${duty}`)
    return [
      "-- What OutboxMigrations makes of an empty database, read back from it, with the rights of the three roles.",
      `-- Written by \`${command}\`; not to be edited, nor to be run: use OutboxMigrations.sql.`,
      `-- Migrations: ${names.join(", ")}`,
      "",
      text
    ].join("\n")
  }).pipe(Effect.scoped)

/**
 * Everything that a schema holds, as text in a stable order: tables with their columns, constraints and settings,
 * indexes, functions, and who may do what but the owner. Read from the catalogs, so that it tells what is there and not
 * what was asked for.
 */
export const dumpSchema = Effect.fnUntraced(function* (schema: string) {
  const tables = yield* tablesOf(schema)
  const parts = [
    `CREATE SCHEMA ${schema};`,
    ...tables.map(({ definition }) => definition),
    ...(yield* indexesOf(schema)),
    ...(yield* functionsOf(schema)),
    (yield* grantsOf(schema)).join("\n")
  ]
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`
})

const lines = (
  query: (sql: SqlClient.SqlClient) => Effect.Effect<ReadonlyArray<{ readonly line: string }>, unknown>
) =>
  Effect.map(
    SqlClient.SqlClient.use((sql) => Effect.orDie(query(sql))),
    (rows) => rows.map(({ line }) => line)
  )

const tablesOf = (schema: string) =>
  SqlClient.SqlClient.use(
    (sql) =>
      sql<{ readonly definition: string }>`
      SELECT
        format(E'CREATE TABLE %I.%I (\n%s\n)%s;', ${schema}::text, class.relname, body.text, settings.text) AS definition
      FROM pg_class AS class
      CROSS JOIN LATERAL (
        SELECT string_agg('  ' || line, E',\n' ORDER BY rank, place, line) AS text
        FROM (
          SELECT
            1 AS rank,
            attribute.attnum::int AS place,
            concat_ws(
              ' ',
              quote_ident(attribute.attname),
              format_type(attribute.atttypid, attribute.atttypmod),
              CASE WHEN attribute.attcollation <> type.typcollation THEN 'COLLATE ' || quote_ident(coll.collname) END,
              CASE WHEN attribute.attidentity <> '' THEN 'GENERATED AS IDENTITY' END,
              CASE attribute.attgenerated
                WHEN '' THEN 'DEFAULT ' || pg_get_expr(def.adbin, def.adrelid)
                ELSE 'GENERATED ALWAYS AS (' || pg_get_expr(def.adbin, def.adrelid) || ')'
              END,
              CASE WHEN attribute.attnotnull THEN 'NOT NULL' END
            ) AS line
          FROM pg_attribute AS attribute
          JOIN pg_type AS type ON type.oid = attribute.atttypid
          LEFT JOIN pg_collation AS coll ON coll.oid = attribute.attcollation
          LEFT JOIN pg_attrdef AS def ON def.adrelid = attribute.attrelid AND def.adnum = attribute.attnum
          WHERE attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
          UNION ALL
          SELECT 2, strpos('pufcx', con.contype::text), format('CONSTRAINT %I %s', con.conname, pg_get_constraintdef(con.oid))
          FROM pg_constraint AS con
          -- From version 18 on "not null" is a constraint too; it stands with its column.
          WHERE con.conrelid = class.oid AND con.contype <> 'n'
        ) AS part
      ) AS body
      CROSS JOIN LATERAL (
        SELECT coalesce(E' WITH (\n' || string_agg('  ' || setting, E',\n' ORDER BY setting) || E'\n)', '') AS text
        FROM unnest(class.reloptions) AS setting
      ) AS settings
      WHERE class.relnamespace = ${schema}::regnamespace AND class.relkind IN ('r', 'p')
      ORDER BY class.relname`
  )

const indexesOf = (schema: string) =>
  lines(
    (sql) => sql`
      SELECT pg_get_indexdef(index.indexrelid) || ';' AS line
      FROM pg_index AS index
      JOIN pg_class AS class ON class.oid = index.indexrelid
      WHERE class.relnamespace = ${schema}::regnamespace
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = index.indexrelid)
      ORDER BY class.relname`
  )

const functionsOf = (schema: string) =>
  lines(
    (sql) => sql`
      SELECT rtrim(pg_get_functiondef(oid), E'\n') || ';' AS line
      FROM pg_proc
      WHERE pronamespace = ${schema}::regnamespace
      ORDER BY proname`
  )

/** What roles may do that do not own it; nobody's name stands for all. */
const grantsOf = (schema: string) =>
  lines(
    (sql) => sql`
      WITH owned AS (
        SELECT 1 AS rank, format('SCHEMA %I', nspname) AS object, nspowner AS owner, nspacl AS acl, '' AS columns
        FROM pg_namespace
        WHERE nspname = ${schema}
        UNION ALL
        SELECT 2, format('%I.%I', ${schema}::text, relname), relowner, relacl, ''
        FROM pg_class
        WHERE relnamespace = ${schema}::regnamespace AND relkind IN ('r', 'p')
        UNION ALL
        SELECT 3, format('%I.%I', ${schema}::text, class.relname), class.relowner, attribute.attacl, quote_ident(attribute.attname)
        FROM pg_attribute AS attribute
        JOIN pg_class AS class ON class.oid = attribute.attrelid
        WHERE class.relnamespace = ${schema}::regnamespace AND attribute.attnum > 0
        UNION ALL
        -- Without a list of rights a function is everybody's.
        SELECT 4, format('FUNCTION %s', oid::regprocedure), proowner, coalesce(proacl, acldefault('f', proowner)), ''
        FROM pg_proc
        WHERE pronamespace = ${schema}::regnamespace
      ),
      granted AS (
        SELECT
          owned.rank,
          owned.object,
          owned.columns,
          acl.privilege_type AS privilege,
          CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS grantee
        FROM owned
        CROSS JOIN LATERAL aclexplode(owned.acl) AS acl
        WHERE acl.grantee <> owned.owner
      ),
      -- First the columns of a right, then the rights of an object.
      by_right AS (
        SELECT rank, object, grantee, privilege, nullif(string_agg(columns, ', ' ORDER BY columns COLLATE "C"), '') AS columns
        FROM granted
        GROUP BY rank, object, grantee, privilege
      )
      SELECT format(
          'GRANT %s ON %s TO %s;',
          string_agg(privilege || coalesce(' (' || columns || ')', ''), ', ' ORDER BY privilege),
          object,
          grantee
        ) AS line
      FROM by_right
      GROUP BY rank, object, grantee
      ORDER BY grantee COLLATE "C", rank, object COLLATE "C"`
  )
