import { defineConfig } from "vitest/config"

const project = (name: string, root: string, needsPostgres: boolean, include = "test/**/*.test.ts") => ({
  test: {
    name,
    root,
    include: [include],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: [new URL("scripts/seeded-random.ts", import.meta.url).pathname],
    globalSetup: needsPostgres
      ? [new URL("packages/testing/test/support/pgGlobalSetup.ts", import.meta.url).pathname]
      : []
  }
})

export default defineConfig({
  test: {
    reporters: ["default", "./scripts/summary-reporter.ts"],
    projects: [
      project("core", "packages/core", false),
      project("outbox", "packages/outbox", true),
      project("testing", "packages/testing", true),
      project("examples", "examples", true, "**/*.test.ts"),
      project("bench", "bench", false)
    ]
  }
})
