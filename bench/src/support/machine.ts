/** What a figure depends on and cannot say by itself: the machine and the versions. */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { availableParallelism, cpus, freemem, loadavg, platform, release, totalmem } from "node:os"
import { dirname, join } from "node:path"

export interface MachineFacts {
  readonly processor: string
  readonly processors: number
  readonly memoryGiB: number
  readonly freeMemoryGiB: number
  readonly system: string
  /** How many processes wanted to run before this run began: what else the machine was doing. */
  readonly loadBefore: number
  readonly versions: Readonly<Record<string, string>>
}

const packages = ["effect", "@effect/sql-pg", "pg", "pg-boss", "graphile-worker", "undici"]

export const machineFacts = async (postgres: string): Promise<MachineFacts> => ({
  processor: cpus()[0]?.model ?? "unknown",
  processors: availableParallelism(),
  memoryGiB: gibibytes(totalmem()),
  freeMemoryGiB: gibibytes(freemem()),
  system: `${platform()} ${release()}`,
  loadBefore: loadavg()[0] ?? Number.NaN,
  versions: {
    node: process.versions.node,
    postgres,
    ...Object.fromEntries(await Promise.all(packages.map(async (name) => [name, await versionOf(name)])))
  }
})

const gibibytes = (bytes: number) => Math.round((bytes / 2 ** 30) * 10) / 10

/** The version of an installed package, read from its own folder, since not all of them export their manifest. */
const versionOf = async (name: string): Promise<string> => {
  const require = createRequire(import.meta.url)
  let folder = dirname(require.resolve(name))
  for (;;) {
    const manifest = await readFile(join(folder, "package.json"), "utf8").catch(() => "{}")
    const parsed = JSON.parse(manifest) as { readonly name?: string; readonly version?: string }
    if (parsed.name === name && parsed.version !== undefined) return parsed.version
    if (dirname(folder) === folder) return "unknown"
    folder = dirname(folder)
  }
}
