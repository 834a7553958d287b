// Makes a TypeScript module of each block, which knows from which line of which page each of its lines came.
import type { Block, Comment } from "./markdown.ts"

/** A line of a page. */
export interface Place {
  readonly file: string
  readonly line: number
}

export interface Module {
  /** Of its file in the folder of generated modules. */
  readonly name: string
  readonly block: Block
  readonly source: string
  /** Where each line comes from, from the first. */
  readonly places: ReadonlyArray<Place>
}

interface Line {
  readonly text: string
  readonly at: number
}

/**
 * One module for each block. What it takes for granted stands in a comment before it, `<!-- prelude … -->`; one with a
 * name, `<!-- prelude admin … -->`, may be named again by later blocks of the page. Where a block uses `yield*` outside
 * of a function it becomes the body of an effect.
 */
export const make = (blocks: ReadonlyArray<Block>): ReadonlyArray<Module> => {
  const named = new Map<string, ReadonlyArray<Line>>()
  return blocks.map((block) => {
    const prelude = block.comments.flatMap((comment) => preludeOf(comment, block.file, named))
    const runs = block.info.includes("run")
    const code = block.code.map((text, index): Line => {
      return { text: withStandIns(runs ? asAssertion(text) : text), at: block.line + index }
    })
    const lines = [...prelude, ...(code.some(isLoose) ? asEffect(code) : code)]
    return {
      name: `${block.file.replaceAll(/[^\w]+/gu, "-")}-${block.line}.ts`,
      block,
      source: `${lines.map(({ text }) => text).join("\n")}\nexport {}\n`,
      places: lines.map(({ at }) => ({ file: block.file, line: at }))
    }
  })
}

const preludeOf = (
  { line, text }: Comment,
  file: string,
  named: Map<string, ReadonlyArray<Line>>
): ReadonlyArray<Line> => {
  const head = /^prelude(?:[ \t]+([\w-]+))?[ \t]*(?:\n|$)/u.exec(text)
  if (head === null) return []
  const code = text
    .slice(head[0].length)
    .split("\n")
    .map((text, index): Line => ({ text, at: line + 1 + index }))
  const name = head[1] === undefined ? undefined : `${file} ${head[1]}`
  if (name === undefined) return code
  if (code.some(({ text }) => text !== "")) named.set(name, code)
  return named.get(name) ?? [{ text: `no prelude of this page has the name ${head[1]}`, at: line }]
}

/** `1 + 1 // => 2`, in a block that is run. */
const asAssertion = (text: string): string =>
  text.replace(
    /^(\S.*?)\s+\/\/ => (.+)$/u,
    'await import("node:assert").then((assert) => assert.deepStrictEqual($1, $2))'
  )

/** Modules that only a reader has are stood in for, by their name, by files of the folder `stand-ins`. */
const withStandIns = (text: string): string =>
  text.replace(/ from "\.[\w./]*\/(\w+\.ts)"$/u, ' from "../../scripts/docs/stand-ins/$1"')

const isLoose = ({ text }: Line): boolean => /^(?!\s|export|\/\/).*\byield\*/u.test(text)

const asEffect = (code: ReadonlyArray<Line>): ReadonlyArray<Line> => {
  const isImport = ({ text }: Line) => text.startsWith("import ")
  const at = code[0]?.at ?? 0
  return [
    ...code.filter(isImport),
    { text: `export const effect_ = (await import("effect")).Effect.gen(function* () {`, at },
    ...code.filter((line) => !isImport(line)),
    { text: "})", at }
  ]
}
