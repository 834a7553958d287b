// Loads the modules that it is given, one after another in one process, and prints a line of JSON for each that fails:
// what stands at the top of a block is then carried out, though no program in it is started.
import { pathToFileURL } from "node:url"

for (const file of process.argv.slice(2)) {
  try {
    await import(pathToFileURL(file).href)
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ file, problem: String(error) })}\n`)
  }
}
process.exit(0)
