// The blocks of `ts` in doc comments, read as if they stood in Markdown.
import type { Block } from "./markdown.ts"

export const read = (file: string, source: string): ReadonlyArray<Block> => {
  const lines = source.split("\n")
  const blocks: Array<Block> = []
  for (let index = 0; index < lines.length; index++) {
    const info = /^\s*\* ```(ts.*)$/u.exec(lines[index] ?? "")?.[1]
    if (info === undefined) continue
    const end = lines.findIndex((text, other) => other > index && /^\s*\* ```$/u.test(text))
    const code = lines.slice(index + 1, end).map((text) => text.replace(/^\s*\* ?/u, ""))
    blocks.push({ file, line: index + 2, info: info.split(/\s+/u), code, comments: [] })
    index = end
  }
  return blocks
}
