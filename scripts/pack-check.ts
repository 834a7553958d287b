// Proves the packages from their tarballs: what is in them, whether they are well formed, and that a project which has nothing
// but them and the peers their READMEs name compiles, passes its tests at each level and finds the command.
// With --keep the temporary folder stays, and its name is said.
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { serve } from "./pack/command.ts"
import { root } from "./pack/packages.ts"
import * as project from "./pack/project.ts"
import { main, run, step } from "./pack/run.ts"
import { inspect, lint, pack } from "./pack/tarballs.ts"

const keep = process.argv.includes("--keep")
const temporary = mkdtempSync(join(realpathSync(tmpdir()), "cascade-pack-"))
process.once("exit", () => {
  if (keep) process.stdout.write(`kept: ${temporary}\n`)
  else rmSync(temporary, { recursive: true, force: true })
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

await main(async () => {
  const tarballs = await step("build and pack", async () => {
    await run(root, process.execPath, "scripts/build.ts")
    return pack(join(temporary, "tarballs"))
  })
  await step("files and manifests", () => inspect(tarballs))
  const wellFormed = step("publint and attw", () => Promise.all(tarballs.map(lint)))

  const folder = join(temporary, "project")
  const usable = async () => {
    await step("a project with the tarballs and their peers", () => project.create(folder, tarballs))
    await step("every module without a test runner", () => project.importAll(folder))
    await step("the command, by its name and over HTTP", () => serve(folder))
    await step("what tests need besides", () => project.addTestTools(folder))
    await step("its types, those of the dependencies among them", () => project.checkTypes(folder))
    await step("its tests, at each level", () => project.test(folder))
  }
  await Promise.all([wellFormed, usable()])
})
