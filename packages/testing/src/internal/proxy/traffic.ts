/**
 * How many bytes went through a proxy, each direction by itself.
 */
import type { Direction } from "../../Toxic.ts"

/** The bytes of one direction since the proxy was made. */
export interface Bytes {
  /** Come from the sender. */
  readonly received: number
  /** Handed on to the receiver. */
  readonly passed: number
}

/** The bytes of both directions, all connections together. */
export type Traffic = Readonly<Record<Direction, Bytes>>

/** Counts them. */
export const make = () => {
  const bytes = { upstream: { received: 0, passed: 0 }, downstream: { received: 0, passed: 0 } }
  return {
    read: (): Traffic => ({ upstream: { ...bytes.upstream }, downstream: { ...bytes.downstream } }),
    count: (direction: Direction, kind: keyof Bytes, amount: number): void => {
      bytes[direction][kind] += amount
    }
  }
}
