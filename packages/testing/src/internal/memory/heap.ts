/**
 * A binary heap: what comes first is found at once, and adding or taking one costs the logarithm of how many there are.
 */

/** Values of which the first can be looked at and taken. */
export interface Heap<A> {
  readonly push: (value: A) => void
  readonly peek: () => A | undefined
  readonly pop: () => A | undefined
}

/** An empty heap; `isBefore` says which of two comes first. */
export const make = <A>(isBefore: (a: A, b: A) => boolean): Heap<A> => {
  const values: Array<A> = []

  const sinkFromTop = (value: A) => {
    let at = 0
    while (true) {
      const [left, right] = [values[2 * at + 1], values[2 * at + 2]]
      if (left === undefined) break
      const isRight = right !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (!isBefore(child, value)) break
      values[at] = child
      at = 2 * at + (isRight ? 2 : 1)
    }
    values[at] = value
  }

  return {
    push: (value) => {
      let at = values.length
      while (at > 0) {
        const above = (at - 1) >> 1
        const parent = values[above]
        if (parent === undefined || !isBefore(value, parent)) break
        values[at] = parent
        at = above
      }
      values[at] = value
    },
    peek: () => values[0],
    pop: () => {
      const first = values[0]
      const last = values.pop()
      if (last !== undefined && values.length > 0) sinkFromTop(last)
      return first
    }
  }
}
