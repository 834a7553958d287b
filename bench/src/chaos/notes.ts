/**
 * What a process has done, in a file of its own: written before it does the next thing, so that the note is there
 * even if the process is killed the moment after. (It need not survive the machine, so nothing waits for the disk.)
 *
 * One note a line: a letter, and words.
 */
import { openSync, writeSync } from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"

export interface Notes {
  /** Writes lines at once. */
  readonly add: (lines: ReadonlyArray<string>) => void
}

/** Opens the notes of a process; adds to what is there. */
export const open = (path: string): Notes => {
  const file = openSync(path, "a")
  return {
    add: (lines) => {
      if (lines.length > 0) writeSync(file, `${lines.join("\n")}\n`)
    }
  }
}

/** All notes of files whose names begin so, each split into its words. A line that was cut short is left out. */
export const read = async (
  folder: string,
  prefix: string
): Promise<ReadonlyArray<{ readonly file: string; readonly words: ReadonlyArray<string> }>> => {
  const names = (await readdir(folder)).filter((name) => name.startsWith(prefix) && name.endsWith(".notes"))
  const texts = await Promise.all(
    names.map(async (name) => ({ name, text: await readFile(join(folder, name), "utf8") }))
  )
  return texts.flatMap(({ name, text }) =>
    text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => ({ file: name.slice(0, -".notes".length), words: line.split(" ") }))
  )
}
