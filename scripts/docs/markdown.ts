// Reads Markdown as far as the checks need it: fenced blocks with the comments before them, headings, links, code.

/** A fenced block of code. */
export interface Block {
  readonly file: string
  /** The line of its first line of code, from 1. */
  readonly line: number
  /** The words behind the fence: `ts run` is `["ts", "run"]`. */
  readonly info: ReadonlyArray<string>
  readonly code: ReadonlyArray<string>
  /** The HTML comments right before it, the first one first. */
  readonly comments: ReadonlyArray<Comment>
}

/** An HTML comment, such as `<!-- from: examples/… -->`. */
export interface Comment {
  /** The line that it begins in. */
  readonly line: number
  readonly text: string
}

/** A piece of text outside of blocks and comments. */
export interface Prose {
  readonly line: number
  readonly text: string
}

export interface Markdown {
  readonly file: string
  readonly blocks: ReadonlyArray<Block>
  readonly prose: ReadonlyArray<Prose>
}

export const read = (file: string, source: string): Markdown => {
  const lines = source.split("\n")
  const blocks: Array<Block> = []
  const prose: Array<Prose> = []
  let comments: Array<Comment> = []
  for (let index = 0; index < lines.length; index++) {
    const text = lines[index] ?? ""
    const fence = /^\s*(`{3,})(.*)$/u.exec(text)
    if (fence !== null) {
      const end = closing(lines, index, fence[1] ?? "```")
      const info = (fence[2] ?? "").trim().split(/\s+/u)
      blocks.push({ file, line: index + 2, info, code: lines.slice(index + 1, end), comments })
      comments = []
      index = end
    } else if (text.startsWith("<!--")) {
      const line = index + 1
      const start = index
      while (!(lines[index] ?? "-->").includes("-->")) index++
      const whole = lines.slice(start, index + 1).join("\n")
      comments.push({ line, text: whole.slice("<!--".length, whole.lastIndexOf("-->")).trim() })
    } else {
      if (text.trim() !== "") comments = []
      prose.push({ line: index + 1, text })
    }
  }
  return { file, blocks, prose }
}

const closing = (lines: ReadonlyArray<string>, start: number, fence: string): number => {
  const found = lines.findIndex((text, index) => index > start && text.trim() === fence)
  return found === -1 ? lines.length : found
}

/** The anchors of a page's headings, as GitHub makes them. */
export const anchors = ({ prose }: Markdown): ReadonlySet<string> => {
  const found = new Set<string>()
  for (const { text } of prose) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/u.exec(text)?.[1]
    if (heading === undefined) continue
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/gu, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/gu, "-")
    let unique = slug
    for (let copy = 1; found.has(unique); copy++) unique = `${slug}-${copy}`
    found.add(unique)
  }
  return found
}

/** The targets of links, `[…](target)`, outside of code. */
export const links = ({
  prose
}: Markdown): ReadonlyArray<{ readonly line: number; readonly target: string }> =>
  prose.flatMap(({ line, text }) =>
    Array.from(text.replaceAll(/`[^`]*`/gu, "code").matchAll(/\]\(([^()\s]+)\)/gu), ([, target = ""]) => ({
      line,
      target
    }))
  )

/** What stands in `code` within the text. */
export const inlineCode = ({ prose }: Markdown): ReadonlyArray<Prose> =>
  prose.flatMap(({ line, text }) =>
    Array.from(text.matchAll(/`([^`]+)`/gu), ([, code = ""]) => ({ line, text: code }))
  )
