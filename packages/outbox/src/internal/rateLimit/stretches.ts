/**
 * What a process holds of a token bucket: stretches of the bucket's line, leased and not yet used.
 *
 * Think of the tokens as lying on a line, each as long as one takes to come back, in the order in which the database
 * hands them out, so that no two ever overlap. A bucket that is `capacity` deep lets `[start, end]` be used from
 * `end - capacity` to `start`. Whatever is used within a window then lies on a piece of line as long as the window and
 * the capacity together, whoever uses it: that is the limit and the burst. A stretch that is not used by its time is
 * gone, as if the bucket had been full. Times are milliseconds on this process's monotonic clock.
 */

export interface Stretch {
  /** Where it begins, taken for as early as it may be. */
  readonly start: number
  readonly end: number
  /** How much later it may lie: the clocks were compared across a round trip. */
  readonly doubt: number
}

/** A part of a stretch that is used. */
export interface Grant {
  /** Where it ends, taken for as late as it may be: it is due a capacity before. */
  readonly end: number
  readonly length: number
}

export interface Taken {
  readonly grant: Grant | undefined
  readonly rest: ReadonlyArray<Stretch>
  /** Something ran out unused. */
  readonly wasted: boolean
}

// Sums of fractions: a stretch may seem shorter than it is.
const rounding = 1e-4

/** Takes `length` from the first stretch that has it, and drops what has run out. */
export const take = (
  stretches: ReadonlyArray<Stretch>,
  length: number,
  options: { readonly now: number; readonly capacity: number }
): Taken => {
  const rest: Array<Stretch> = []
  let grant: Grant | undefined
  let wasted = false
  for (const stretch of stretches) {
    const start = Math.max(stretch.start, options.now)
    if (start > stretch.start && stretch.end - stretch.start > rounding) wasted = true
    const fits = stretch.end - start >= length - rounding && length + stretch.doubt <= options.capacity
    if (grant === undefined && fits) {
      grant = { end: start + length + stretch.doubt, length }
      keep(rest, { ...stretch, start: start + length })
    } else {
      keep(rest, { ...stretch, start })
    }
  }
  return { grant, rest, wasted }
}

/** Takes `length` from the beginning of a stretch that has just come for it, however long it was under way. */
export const takeFirst = (
  stretch: Stretch,
  length: number
): { readonly grant: Grant; readonly rest: ReadonlyArray<Stretch> } => {
  const rest: Array<Stretch> = []
  const start = stretch.start + length
  keep(rest, { ...stretch, start })
  return { grant: { end: start + stretch.doubt, length }, rest }
}

const keep = (rest: Array<Stretch>, stretch: Stretch): void => {
  if (stretch.end - stretch.start > rounding) rest.push(stretch)
}
