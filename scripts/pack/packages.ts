// The three packages that are published, and what each has to offer.
import { execFileSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"

export const root = new URL("../..", import.meta.url).pathname

export interface Package {
  /** `core` */
  readonly short: string
  /** `@effect-cascade/core` */
  readonly name: string
  /** Absolute, without a slash at the end. */
  readonly folder: string
  /** Its TypeScript files, from its own folder: `src/internal/mask.ts`. */
  readonly sources: ReadonlyArray<string>
  /** What can be imported, as the subpath of the package: `.`, `./Message`, `./suites/OutboxStoreSuite`. */
  readonly modules: ReadonlyArray<string>
}

const closed = /^src\/(internal|bin)\//

export const packages: ReadonlyArray<Package> = ["core", "outbox", "testing"].map((short) => {
  const folder = `${root}packages/${short}`
  const sources = globSync("src/**/*.ts", { cwd: folder }).toSorted()
  const modules = sources
    .filter((file) => !closed.test(file))
    .map((file) => (file === "src/index.ts" ? "." : `.${file.slice("src".length, -".ts".length)}`))
  return { short, name: `@effect-cascade/${short}`, folder, sources, modules: modules.toSorted() }
})

/** The files of a package's `src` that git knows, from its own folder. */
export const tracked = ({ folder }: Package): ReadonlyArray<string> =>
  execFileSync("git", ["ls-files", "src"], { cwd: folder, encoding: "utf8" }).split("\n").filter(Boolean)

/** Versions as this repository has them: `"effect": "4.1.0"`, catalog entries resolved. */
export const versionOf = (dependency: string): string =>
  JSON.parse(readFileSync(`${root}node_modules/${dependency}/package.json`, "utf8")).version
