/**
 * Options as they are used, where an option that makes no sense must not stop a program.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** A whole number of at least 1, rounded down; 1 for what is no number. */
export const atLeastOne = (value: unknown): number =>
  typeof value === "number" && value >= 1 ? Math.floor(value) : 1

/** A time of 0 or more, or else `fallback`. */
export const time = (input: Duration.Input | undefined, fallback: Duration.Input): Duration.Duration =>
  Option.getOrElse(
    Option.filter(Duration.fromInput(input ?? fallback), Duration.isGreaterThanOrEqualTo(Duration.zero)),
    () => Duration.fromInputUnsafe(fallback)
  )
