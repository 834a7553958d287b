// How large `core` is in a program that imports it alone. Fails where a budget is exceeded, or where `core` needs Node.
// A budget is raised here, by whoever has a reason.
import { gzipSync } from "node:zlib"
import { rolldown } from "rolldown"

// In the root, which has all of them.
const entry = new URL("../entry.js", import.meta.url).pathname
const everything = `export * from "@effect-cascade/core"`
const oneMessage = `
  import { send } from "@effect-cascade/core/Cascade"
  import { make } from "@effect-cascade/core/Message"
  import * as Effect from "effect/Effect"
  export const tell = (input) => Effect.flatMap(make(input), (message) => send(message))`

// Kilobytes (1,000 bytes), minified. What is measured, what it may be.
const bundles = [
  { name: "all of core, effect left out", code: everything, effect: false, budget: 95 },
  { name: "all of core, with effect", code: everything, effect: true, budget: 300 },
  { name: "one message made and sent, effect left out", code: oneMessage, effect: false, budget: 40 },
  { name: "one message made and sent, with effect", code: oneMessage, effect: true, budget: 200 }
]

for (const { budget, code, effect, name } of bundles) {
  const bundle = await rolldown({
    input: "entry",
    cwd: new URL("..", import.meta.url).pathname,
    platform: "browser",
    external: effect ? [] : [/^effect(\/|$)/],
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === "entry" ? entry : undefined),
        load: (id) => (id === entry ? code : undefined)
      }
    ],
    logLevel: "silent"
  })
  const { output } = await bundle.generate({ format: "esm", minify: true })
  await bundle.close()
  const text = output.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("")
  const size = kilobytes(text.length)
  const zipped = kilobytes(gzipSync(text).length)
  process.stdout.write(
    `${size.padStart(6)} kB  ${zipped.padStart(6)} kB gzip  ${name} (budget ${budget} kB)\n`
  )
  if (Number(size) > budget) complain(`${name}: ${size} kB is over the budget of ${budget} kB`)
  const foreign = output.flatMap((chunk) => (chunk.type === "chunk" ? chunk.imports : []))
  for (const specifier of foreign) if (!/^effect(\/|$)/.test(specifier)) complain(`core imports ${specifier}`)
}

function complain(problem: string): void {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1)
}
