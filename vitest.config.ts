import { defineConfig } from "vitest/config"

const project = (name: string, root: string) => ({
  test: { name, root, include: ["test/**/*.test.ts"], testTimeout: 30_000, hookTimeout: 60_000 }
})

export default defineConfig({
  test: {
    projects: [
      project("core", "packages/core"),
      project("outbox", "packages/outbox"),
      project("testing", "packages/testing")
    ]
  }
})
