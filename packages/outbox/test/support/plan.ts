import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { SqlError, Statement } from "effect/sql"

/** A node of a plan as it was run. */
export interface PlanNode {
  readonly "Node Type": string
  readonly "Relation Name"?: string
  readonly "Index Name"?: string
  readonly "Index Cond"?: string
  readonly "Total Cost": number
  readonly "Actual Rows": number
  readonly "Actual Loops": number
  readonly "Parent Relationship"?: string
  readonly "Shared Hit Blocks": number
  readonly "Shared Read Blocks": number
  readonly Plans?: ReadonlyArray<PlanNode>
}

const isPlan = (value: unknown): value is PlanNode =>
  typeof value === "object" && value !== null && "Node Type" in value

const decodeExplained = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ "QUERY PLAN": Schema.Array(Schema.Struct({ Plan: Schema.Unknown })) }))
)

/**
 * Runs a statement and takes it back; answers with its plan, every node of it in one list. A `generic` plan is one
 * that the server makes without looking at the parameters, as it may after a few executions.
 */
export const planOf = Effect.fnUntraced(function* (
  statement: Statement.Statement<unknown>,
  mode: "custom" | "generic" = "custom",
  /** What is done first, and taken back too. */
  before: Effect.Effect<unknown, SqlError.SqlError> = Effect.void
) {
  const sql = (yield* PgClient.PgClient).withoutTransforms()
  const [text, parameters] = statement.compile()
  const explained = yield* Effect.gen(function* () {
    yield* before
    yield* sql.unsafe(`SET LOCAL plan_cache_mode = force_${mode}_plan`)
    yield* sql.unsafe(`PREPARE planned AS ${text}`)
    const values = parameters.length === 0 ? "" : ` (${parameters.map(literal).join(", ")})`
    const explain = sql.unsafe(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE planned${values}`)
    const rows = yield* explain.pipe(Effect.ensuring(Effect.ignore(sql.unsafe("DEALLOCATE planned"))))
    // So that the transaction is taken back.
    return yield* Effect.fail({ rows })
  }).pipe(sql.withTransaction, Effect.flip)
  if (!("rows" in explained)) return yield* Effect.fail(explained)
  const [first] = yield* decodeExplained(explained.rows)
  const plan = first?.["QUERY PLAN"][0]?.Plan
  return isPlan(plan) ? flatten(plan) : assert.fail("no plan")
})

const literal = (value: unknown): string => {
  if (Array.isArray(value)) return `ARRAY[${value.map(literal).join(", ")}]::text[]`
  return typeof value === "number" ? String(value) : `'${String(value).replaceAll("'", "''")}'`
}

const flatten = (node: PlanNode): ReadonlyArray<PlanNode> => [node, ...(node.Plans ?? []).flatMap(flatten)]

/** The tables that a plan reads from end to end. */
export const scanned = (plan: ReadonlyArray<PlanNode>): ReadonlyArray<string> =>
  plan.flatMap((node) => (node["Node Type"] === "Seq Scan" ? (node["Relation Name"] ?? []) : []))

/** The indexes that a plan uses. */
export const indexes = (plan: ReadonlyArray<PlanNode>): ReadonlySet<string> =>
  new Set(plan.flatMap((node) => node["Index Name"] ?? []))

/** How many rows the nodes on a table gave altogether. */
export const rowsOf = (plan: ReadonlyArray<PlanNode>, table: string): number =>
  plan
    .filter((node) => node["Relation Name"] === table)
    .reduce((sum, node) => sum + node["Actual Rows"] * node["Actual Loops"], 0)

/**
 * How many pages the statement touched, in memory or not; a page as often as it came to it. Perhaps
 * a few more: what a CTE reads may be counted where it is read and once more where it is used.
 */
export const pages = (plan: ReadonlyArray<PlanNode>): number =>
  plan.reduce((sum, node) => {
    if (node["Node Type"] === "CTE Scan") return sum
    const below = (node.Plans ?? [])
      .filter((child) => child["Parent Relationship"] !== "InitPlan")
      .reduce((total, child) => total + touched(child), 0)
    return sum + Math.max(0, touched(node) - below)
  }, 0)

const touched = (node: PlanNode): number => node["Shared Hit Blocks"] + node["Shared Read Blocks"]
