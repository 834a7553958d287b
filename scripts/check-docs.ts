// Checks what the documents say: `pnpm docs:check`.
//
// - Every block of `ts`, in Markdown and in doc comments, compiles. It is also loaded, unless it takes for granted what
//   only its reader has. One with `run` behind it (```ts run) is run, and a block of `text` right after it is what it prints.
// - A block with `<!-- from: path -->` before it stands in that file, word for word.
// - Commands name scripts and files that exist.
// - Links lead to files and headings that exist.
//
// What a block takes for granted stands in a comment before it; see scripts/docs/modules.ts.
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import * as Examples from "./docs/examples.ts"
import * as Markdown from "./docs/markdown.ts"
import * as Modules from "./docs/modules.ts"

process.chdir(join(import.meta.dirname, ".."))
const folder = ".cache/docs"

const tracked = (...patterns: ReadonlyArray<string>): ReadonlyArray<string> =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", ...patterns], {
    encoding: "utf8"
  })
    .split("\n")
    .filter((file) => file !== "" && existsSync(file))

const problems: Array<string> = []
const report = (file: string, line: number, what: string) => void problems.push(`${file}:${line}: ${what}`)

const pages = tracked("*.md", ":!.changeset", ":!packages/*/api.md").map((file) =>
  Markdown.read(file, readFileSync(file, "utf8"))
)
const pageOf = new Map(pages.map((page) => [page.file, page]))

const fromOf = ({ comments }: Markdown.Block): string | undefined =>
  comments.map(({ text }) => /^from: (\S+)$/u.exec(text)?.[1]).find((path) => path !== undefined)

/** Blocks that say where they come from are compared; the file itself is compiled and tested elsewhere. */
const compare = (block: Markdown.Block, path: string) => {
  if (!existsSync(path)) return report(block.file, block.line, `there is no file ${path}`)
  const source = `\n${readFileSync(path, "utf8")}`
  if (source.includes(`\n${block.code.join("\n")}\n`)) return
  const known = new Set(source.split("\n"))
  const first = block.code.findIndex((text) => !known.has(text))
  const where = first === -1 ? block.line : block.line + first
  report(block.file, where, `differs from ${path}${first === -1 ? ", in the order of its lines" : ""}`)
}

/** All in one program, so that the library is read once. */
const compile = (modules: ReadonlyArray<Modules.Module>) => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const { name, source } of modules) writeFileSync(join(folder, name), source)
  const options = {
    noEmit: true,
    composite: false,
    incremental: false,
    declarationMap: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    rootDir: "../..",
    types: ["node"]
  }
  const config = { extends: "../../tsconfig.base.json", compilerOptions: options, include: ["."] }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  const { status, stdout } = spawnSync(
    process.execPath,
    ["node_modules/typescript/bin/tsc", "-p", folder, "--pretty", "false"],
    { encoding: "utf8" }
  )
  const placesOf = new Map(modules.map(({ name, places }) => [name, places]))
  let told = false
  for (const text of stdout.split("\n")) {
    const [, path = "", line = "", what = ""] = /^(\S+?)\((\d+),\d+\): error (.*)$/u.exec(text) ?? []
    const place = placesOf.get(path.split("/").at(-1) ?? "")?.[Number(line) - 1]
    if (place !== undefined) report(place.file, place.line, what)
    else if (what !== "") report(path, Number(line), what)
    told ||= what !== ""
  }
  if (status !== 0 && !told) report(folder, 0, `tsc ended with ${status}: ${stdout}`)
}

/** Runs what is marked so, and compares what it prints. */
const run = ({ block, name }: Modules.Module) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(folder, name)], {
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, NO_COLOR: "1" }
  })
  if (status !== 0) return report(block.file, block.line, `ended with ${status}\n${stdout}${stderr}`)
  const blocks = pageOf.get(block.file)?.blocks ?? []
  const next = blocks[blocks.indexOf(block) + 1]
  if (next?.info[0] !== "text" || next.code.join("\n").trim() === stdout.trim()) return
  report(next.file, next.line, `the block before it prints something else:\n${stdout}`)
}

/** Whether a module stands by itself: no name is only declared, no stand-in takes a file's place, no test runner is needed. */
const isWhole = ({ source }: Modules.Module) => !/^\s*declare |stand-ins\/|vitest|\/suites\//mu.test(source)

/** Loads what stands by itself. */
const load = (whole: ReadonlyArray<Modules.Module>) => {
  const files = whole.map(({ name }) => join(folder, name))
  const { status, stderr, stdout } = spawnSync(process.execPath, ["scripts/docs/load.ts", ...files], {
    encoding: "utf8",
    timeout: 60_000
  })
  if (status !== 0) return report(folder, 0, `loading ended with ${status}: ${stderr}`)
  for (const text of stdout.split("\n").filter((text) => text.startsWith('{"file":'))) {
    const { file, problem } = JSON.parse(text)
    const block = whole.find(({ name }) => join(folder, name) === file)?.block
    report(block?.file ?? file, block?.line ?? 0, `cannot be loaded: ${problem}`)
  }
}

const scripts: unknown = JSON.parse(readFileSync("package.json", "utf8")).scripts
const ofPnpm = new Set(["add", "dlx", "exec", "i", "install", "pack", "publish", "remove", "run", "<script>"])

/** `pnpm name` has to be a script, and `node path` a file. */
const checkCommand = (file: string, line: number, text: string) => {
  for (const [, name = ""] of text.matchAll(/(?:^|[\s(])pnpm (?:-\S+ )*([\w:<>-]+)/gu)) {
    if (ofPnpm.has(name) || (typeof scripts === "object" && scripts !== null && name in scripts)) continue
    report(file, line, `package.json has no script ${name}`)
  }
  for (const [, path = ""] of text.matchAll(/(?:^|\s)node ([\w./-]+\.(?:ts|mjs|js))/gu)) {
    if (!existsSync(path)) report(file, line, `there is no file ${path}`)
  }
}

const checkLink = (page: Markdown.Markdown, line: number, target: string) => {
  if (/^[a-z]+:/u.test(target)) return
  const [path = "", anchor] = target.split("#")
  const file = path === "" ? page.file : normalize(join(dirname(page.file), decodeURIComponent(path)))
  if (!existsSync(file)) return report(page.file, line, `there is no ${file}`)
  if (anchor === undefined) return
  const other = pageOf.get(file)
  if (other !== undefined) {
    if (!Markdown.anchors(other).has(anchor)) report(page.file, line, `${file} has no heading #${anchor}`)
  } else if (statSync(file).isFile()) {
    const lines = readFileSync(file, "utf8").split("\n").length
    const last = Number(/^L\d+(?:-L(\d+))?$/u.exec(anchor)?.[1] ?? /^L(\d+)$/u.exec(anchor)?.[1] ?? Infinity)
    if (last > lines) report(page.file, line, `${file} has no line #${anchor}`)
  }
}

/** A mark that is misspelt would leave a block unchecked. */
const checkMarks = ({ comments, file, info, line }: Markdown.Block) => {
  const [language = "", ...marks] = info
  if (/^(?:typescript|tsx|mts)$/iu.test(language)) report(file, line - 1, `call it ts, not ${language}`)
  if (language !== "ts") return
  for (const mark of marks) if (mark !== "run") report(file, line - 1, `ts can be marked run, not ${mark}`)
  for (const { line, text } of comments) {
    if (!/^(?:from: \S+$|prelude\b)/u.test(text))
      report(file, line, "before ts only from: and prelude mean something")
  }
}

for (const page of pages) {
  page.blocks.forEach(checkMarks)
  for (const { line, target } of Markdown.links(page)) checkLink(page, line, target)
  for (const { line, text } of Markdown.inlineCode(page)) checkCommand(page.file, line, text)
  for (const { code, file, info, line } of page.blocks) {
    if (info[0] === "sh") code.forEach((text, index) => checkCommand(file, line + index, text))
  }
}

const inPages = pages.flatMap(({ blocks }) => blocks.filter(({ info }) => info[0] === "ts"))
const inSources = tracked("packages/*/src/*.ts").flatMap((file) =>
  Examples.read(file, readFileSync(file, "utf8"))
)
const copies = inPages.filter((block) => fromOf(block) !== undefined)
for (const block of copies) compare(block, fromOf(block) ?? "")

const modules = Modules.make([...inPages.filter((block) => fromOf(block) === undefined), ...inSources])
compile(modules)
const runnable = modules.filter(({ block }) => block.info.includes("run"))
const whole = modules.filter(isWhole)
if (problems.length === 0) load(whole)
if (problems.length === 0) runnable.forEach(run)

if (problems.length > 0) {
  process.stderr.write(`${problems.join("\n")}\n\n${problems.length} problems in the documents\n`)
  process.exitCode = 1
} else {
  process.stdout.write(
    `${pages.length} pages: ${modules.length} blocks compile, ${whole.length} of them are loaded, ${runnable.length} run, ${copies.length} are parts of files\n`
  )
}
