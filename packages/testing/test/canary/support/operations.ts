/**
 * What there is to be swept: every export of every public module, found by looking.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { readdirSync } from "node:fs"

/** One export. */
export interface Export {
  /** `core/Message.make` */
  readonly name: string
  readonly value: unknown
  readonly kind: "operation" | "service" | "schema" | "constant"
}

const isModule = (file: string): boolean =>
  file.endsWith(".ts") && !/^(?:internal|bin)[/\\]/u.test(file) && file !== "index.ts"

// They import a test runner at their top, and declare tests when they are called.
const suites = new Set(["suites/TransportSuite.ts", "suites/OutboxStoreSuite.ts"])

const kindOf = (value: unknown): Export["kind"] => {
  if (Context.isKey(value)) return "service"
  if (Schema.isSchema(value)) return "schema"
  if (typeof value === "function" || Effect.isEffect(value) || Layer.isLayer(value)) return "operation"
  return "constant"
}

/** Every export of a package's public modules. */
export const exportsOf = async (library: "core" | "outbox" | "testing"): Promise<ReadonlyArray<Export>> => {
  const root = new URL(`../../../../${library}/src/`, import.meta.url)
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(isModule).sort()
  const found: Array<Export> = []
  for (const file of files) {
    if (suites.has(file.replaceAll("\\", "/"))) continue
    const module: Readonly<Record<string, unknown>> = await import(new URL(file, root).href)
    for (const [name, value] of Object.entries(module)) {
      found.push({ name: `${library}/${file.replace(/\.ts$/u, "")}.${name}`, value, kind: kindOf(value) })
      // A service's own static operations, such as PgTestServer.layer.
      if (typeof value !== "function" || !Context.isKey(value)) continue
      for (const [key, member] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
        if (ownOfKeys.has(key) || key === "defaultValue" || kindOf(member.value) !== "operation") continue
        found.push({
          name: `${library}/${file.replace(/\.ts$/u, "")}.${name}.${key}`,
          value: member.value,
          kind: "operation"
        })
      }
    }
  }
  return found
}

class Bare extends Context.Service<Bare, object>()("canary/Bare") {}
const ownOfKeys = new Set(Object.getOwnPropertyNames(Bare))
