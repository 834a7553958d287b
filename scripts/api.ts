// Writes packages/*/api.md: the types of everything that can be imported, and of what these reach, without comments.
// With --check it writes nothing, shows what differs, and fails.
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, posix } from "node:path"
import { type Package, packages, root } from "./pack/packages.ts"
import { Failed, main, run } from "./pack/run.ts"

const check = process.argv.includes("--check")
const temporary = mkdtempSync(join(tmpdir(), "cascade-api-"))
process.once("exit", () => rmSync(temporary, { recursive: true, force: true }))

await main(async () => {
  // A package is compiled against the declarations of those before it.
  await run(root, "tsc", "-b", ...packages.map(({ folder }) => `${folder}/tsconfig.src.json`))
  const texts = await Promise.all(packages.map(describe))
  const stale = packages.filter((of, i) => !settle(of, texts[i] ?? ""))
  if (stale.length > 0) {
    const files = stale.map(({ short }) => `packages/${short}/api.md`).join(", ")
    throw new Failed(`the public types are not those of ${files}.\nIf the change is meant, run: npx pnpm api`)
  }
})

async function describe(of: Package): Promise<string> {
  const out = join(temporary, of.short)
  const how = "--declaration --emitDeclarationOnly --removeComments --declarationMap false --composite false"
  const flags = [...how.split(" "), "--incremental", "false", "--outDir", out]
  await run(root, "tsc", "-p", `${of.folder}/tsconfig.src.json`, ...flags)
  const declarations = (file: string) => readFileSync(join(out, `${file}.d.ts`), "utf8")

  const open = of.modules.map((module) => (module === "." ? "index" : module.slice(2)))
  const closed = reached(open, declarations).filter((file) => !open.includes(file))
  const section = (file: string) =>
    `### ${file}\n\n\`\`\`typescript\n${declarations(file).replaceAll("\r\n", "\n").trim()}\n\`\`\`\n`
  return [
    `# The public types of ${of.name}`,
    "Written by `npx pnpm api`, not by hand. A change here is a change for users: review it like code.",
    "## What can be imported",
    ...open.map(section),
    ...(closed.length === 0 ? [] : ["## What cannot be imported, but is reached", ...closed.map(section)])
  ]
    .join("\n\n")
    .replaceAll("\n\n\n", "\n\n")
}

/** All modules of the package that the declarations of these lead to, in the order of their names. */
function reached(from: ReadonlyArray<string>, declarations: (file: string) => string): ReadonlyArray<string> {
  const seen = new Set(from)
  for (const file of seen) {
    for (const [, specifier] of declarations(file).matchAll(/["'](\.[^"']+)\.[tj]s["']/g)) {
      seen.add(posix.join(posix.dirname(file), specifier ?? ""))
    }
  }
  return [...seen].toSorted()
}

/** Whether the file says so; without --check it is made to. */
function settle(of: Package, text: string): boolean {
  const file = `${of.folder}/api.md`
  if (existsSync(file) && readFileSync(file, "utf8") === text) return true
  if (!check) {
    writeFileSync(file, text)
    process.stdout.write(`written: packages/${of.short}/api.md\n`)
    return true
  }
  const now = join(temporary, `${of.short}.md`)
  writeFileSync(now, text)
  const { stdout } = spawnSync("git", ["diff", "--no-index", "--unified=1", "--", file, now], {
    encoding: "utf8"
  })
  process.stdout.write(stdout.split("\n").slice(4, 64).join("\n"))
  return false
}
