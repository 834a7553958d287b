/**
 * Masks a class of values in the ways in which a value is printed by accident: JSON, text, `inspect` and a schema's
 * formatter.
 *
 * The fields themselves stay readable, so what asks for them by name shows them: `console.dir` and `console.table`,
 * and `inspect` with `customInspect: false`.
 */
import * as Redactable from "effect/Redactable"

const nodeInspect = Symbol.for("nodejs.util.inspect.custom")

/** An annotation for a class that is masked: `Schema.toFormatter` prints its values as they print themselves. */
export const annotation = { toFormatter: () => String } as const

/** Makes every instance of `constructor` print as what `show` returns, in logs, `inspect`, JSON and text. */
export const install = <A extends object>(
  constructor: abstract new (...args: never) => A,
  show: (self: A) => unknown
): void => {
  const method = (value: (this: A) => unknown) => ({
    value,
    configurable: true,
    enumerable: false,
    writable: true
  })
  Object.defineProperties(constructor.prototype, {
    toJSON: method(function () {
      return show(this)
    }),
    toString: method(function () {
      return JSON.stringify(show(this))
    }),
    [nodeInspect]: method(function () {
      return show(this)
    }),
    [Redactable.symbolRedactable]: method(function () {
      return show(this)
    })
  })
}
