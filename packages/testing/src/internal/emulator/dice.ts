/**
 * Chance that can be repeated: the same seed gives the same numbers. Plain code, since it runs for every request.
 */

/** A source of chance. */
export interface Dice {
  /** At least 0 and less than 1. */
  readonly next: () => number
  /** A whole number of 32 bits. */
  readonly bits: () => number
  /** As if it had just been made. */
  readonly restart: () => void
}

/** The source that belongs to a seed. Different seeds give unrelated numbers. */
export const make = (seed: string): Dice => {
  let state = hash(seed)
  const restart = () => {
    state = hash(seed)
  }
  const bits = () => {
    state = (state + 0x9e3779b9) >>> 0
    return mix(state)
  }
  return { bits, next: () => bits() / 0x1_0000_0000, restart }
}

/** A copy in random order. */
export const shuffle = <A>(dice: Dice, values: ReadonlyArray<A>): Array<A> => {
  const keyed = values.map((value) => ({ value, key: dice.bits() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value)
}

/** A UUID of version 4. */
export const uuid = (dice: Dice): string => {
  const a = dice.bits()
  const b = dice.bits()
  const c = dice.bits()
  const d = dice.bits()
  return (
    `${byte(a)}${byte(a >>> 8)}${byte(a >>> 16)}${byte(a >>> 24)}-${byte(b)}${byte(b >>> 8)}-` +
    `${byte(((b >>> 16) & 0x0f) | 0x40)}${byte(b >>> 24)}-${byte((c & 0x3f) | 0x80)}${byte(c >>> 8)}-` +
    `${byte(c >>> 16)}${byte(c >>> 24)}${byte(d)}${byte(d >>> 8)}${byte(d >>> 16)}${byte(d >>> 24)}`
  )
}

const byte = (bits: number): string => hex[bits & 0xff] ?? ""

const hex = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"))

// Spreads every bit of the input over every bit of the output.
const mix = (value: number): number => {
  let mixed = Math.imul(value ^ (value >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

const hash = (text: string): number => {
  let value = 0
  for (let index = 0; index < text.length; index++) value = mix(value ^ text.charCodeAt(index)) + 1
  return value >>> 0
}
