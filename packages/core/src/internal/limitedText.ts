/**
 * The text of a body of unknown length.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** It is longer than what is read of it. */
export interface TooLong {
  readonly _tag: "TooLong"
}

/** Reads bytes as UTF-8 to their end, or stops right after `limit` of them. */
export const read = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  limit: number
): Effect.Effect<string, E | TooLong, R> =>
  Effect.suspend(() => {
    let size = 0
    return bytes.pipe(
      Stream.mapEffect((chunk) => {
        size += chunk.length
        return size > limit ? Effect.fail(tooLong) : Effect.succeed(chunk)
      }),
      Stream.decodeText,
      Stream.mkString
    )
  })

const tooLong: TooLong = { _tag: "TooLong" }
