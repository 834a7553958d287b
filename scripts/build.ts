// Writes packages/*/dist: what is published. Nothing in this repository needs it, since everything here runs the sources.
import { execFileSync } from "node:child_process"
import { rmSync } from "node:fs"

const packages = ["core", "outbox", "testing"].map((name) => `packages/${name}`)
for (const folder of packages) rmSync(`${folder}/dist`, { recursive: true, force: true })
execFileSync("tsc", ["-b", ...packages.map((folder) => `${folder}/tsconfig.src.json`)], { stdio: "inherit" })
