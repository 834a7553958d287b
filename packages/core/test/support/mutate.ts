/**
 * Broken variants of a text, for readers that must survive everything. The same seed gives the same variants.
 */

/** A small generator of numbers below `n`, so that a failure can be repeated. */
export const random = (seed: number): ((n: number) => number) => {
  let state = seed >>> 0
  return (n) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return ((state ^ (state >>> 13)) >>> 0) % n
  }
}

const splinters = [
  "",
  "{",
  "}",
  "[",
  "]",
  '"',
  "\\",
  ",",
  ":",
  "null",
  "true",
  "1e999",
  "-",
  "\u0000",
  "\ufeff",
  "\ud800",
  "\ufffd",
  '"__proto__":',
  '{"__proto__":{"messageId":"x"}}',
  '"constructor"',
  "é",
  "😀",
  "\\u0000",
  "<html>",
  "[[[[[[[[",
  " "
]

/** `count` variants of each text: cut, doubled, with bytes changed, removed and put in. */
export const variants = (texts: ReadonlyArray<string>, count: number, seed: number): Array<string> => {
  const next = random(seed)
  return texts.flatMap((text) =>
    Array.from({ length: count }, () => {
      let out = text
      for (let turns = 1 + next(3); turns > 0; turns--) {
        const at = next(out.length + 1)
        const to = Math.min(out.length, at + next(12))
        const splinter = splinters[next(splinters.length)] ?? ""
        switch (next(5)) {
          case 0:
            out = out.slice(0, at)
            break
          case 1:
            out = out.slice(0, at) + out.slice(to)
            break
          case 2:
            out = out.slice(0, at) + splinter + out.slice(at)
            break
          case 3:
            out = out.slice(0, at) + splinter + out.slice(to)
            break
          default:
            out = out.slice(0, to) + out.slice(at)
        }
      }
      return out
    })
  )
}
