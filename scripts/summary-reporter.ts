import type { Reporter, TestModule } from "vitest/node"

/** Ends a test run with one plain line: how many tests passed, failed and were skipped. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state]++
      // A file that could not be loaded has no tests, but it has failed.
      if (module.state() === "failed" && module.children.size === 0) counts.failed++
    }
    const failed = counts.failed + errors.length
    const skipped = counts.skipped + counts.pending
    process.once("exit", () => {
      process.stdout.write(
        `tests: ${counts.passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`
      )
    })
  }
}
