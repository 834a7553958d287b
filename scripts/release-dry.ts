// A release up to the last step before it counts: the checks, the versions and changelogs that the changesets make, the
// tarballs, and `pnpm publish --dry-run`. All of it on a clone of what is committed, in a temporary folder; nothing is
// published. With --no-checks without the checks.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { packages, root } from "./pack/packages.ts"
import { fail, main, run, step } from "./pack/run.ts"

const temporary = mkdtempSync(join(tmpdir(), "cascade-release-"))
process.once("exit", () => rmSync(temporary, { recursive: true, force: true }))
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

const clone = join(temporary, "clone")
const pnpm = (...args: ReadonlyArray<string>) => run(clone, "npx", "--yes", "pnpm", ...args)
const read = (file: string) => readFileSync(join(clone, file), "utf8")

await main(async () => {
  if ((await run(root, "git", "status", "--porcelain")) !== "")
    fail("commit first: only what is committed is released")
  await step("a clone, installed", async () => {
    await run(root, "git", "clone", "--quiet", "--no-local", root, clone)
    await pnpm("install", "--frozen-lockfile", "--prefer-offline")
  })
  const checks = process.argv.includes("--no-checks")
    ? []
    : ["types", "lint", "format:check", "knip", "api:check", "size", "pack:check"]
  for (const check of checks) {
    await step(`pnpm ${check}`, () => pnpm("run", check))
  }

  const version = await step("changeset version", async () => {
    // In the clone it may rewrite what it likes.
    await pnpm("exec", "changeset", "version")
    const versions = packages.map(({ short }) => JSON.parse(read(`packages/${short}/package.json`)).version)
    const [first] = versions
    if (versions.some((other) => other !== first))
      fail(`the packages have different versions: ${versions.join(", ")}`)
    for (const { short } of packages) {
      const file = `packages/${short}/CHANGELOG.md`
      if (!existsSync(join(clone, file)) || !read(file).includes(`## ${first}`))
        fail(`${file} says nothing of ${first}`)
    }
    return String(first)
  })
  await step(`pnpm publish --dry-run of ${version}`, async () => {
    await run(clone, process.execPath, "scripts/build.ts")
    for (const { short } of packages) {
      await run(
        join(clone, "packages", short),
        "npx",
        "--yes",
        "pnpm",
        "publish",
        "--dry-run",
        "--no-git-checks"
      )
    }
  })

  const nowhere = packages.filter(({ short }) => !/"repository"/.test(read(`packages/${short}/package.json`)))
  process.stdout.write(
    `\n${version} could be published. What is left to a person is in CONTRIBUTING.md.\n` +
      (nowhere.length > 0 ? "Before the first time: name the repository in each package.json.\n" : "")
  )
})
