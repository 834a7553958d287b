/**
 * Values that nobody has thought of, for functions that take what comes from outside.
 */
import { assert } from "@effect/vitest"
import { Arbitrary, Cause, DateTime, Duration, Formatter, Schema } from "effect"
import { inspect } from "node:util"

/** One of these arbitraries, each as likely as the others. */
export const oneOf = <A>(...arbitraries: ReadonlyArray<Arbitrary.Arbitrary<A>>): Arbitrary.Arbitrary<A> =>
  pick(arbitraries).pipe(Arbitrary.flatMap((arbitrary) => arbitrary))

/** One of these values. */
export const pick = <A>(values: ReadonlyArray<A>): Arbitrary.Arbitrary<A> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: values.length - 1 }))).pipe(
    // Between the bounds of the array.
    Arbitrary.map((index) => values[index] as A)
  )

/** What must show nowhere. */
export const phone = "380671112233"
export const secret = "CANARY-TEXT"
/** The phone number as people write it. */
export const phones = [
  phone,
  `+${phone}`,
  `00${phone}`,
  "380 67 111 22 33",
  "+38067-111-22-33",
  `x${phone}y`,
  "(380) 671112233"
]

const kinds = [
  null,
  true,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -0,
  0.5,
  1.5,
  2 ** 31,
  -1,
  300,
  5n,
  Symbol("s")
]
const oddTexts = [
  "",
  " ",
  "\0",
  "\n",
  "\ud800",
  "a".repeat(300),
  "1 ".repeat(200),
  "__proto__",
  "transaction"
]
const carriers = [Number(phone), BigInt(phone), [phone], { phone }, { secret }, [secret, { secret }], [[[]]]]
const objects = [
  new Date(Number.NaN),
  new Date(8.64e15),
  new Map([[secret, phone]]),
  () => secret,
  new Error(secret)
]
const values = [
  Duration.infinity,
  Duration.nanos(1n),
  DateTime.makeUnsafe(8.64e15),
  Object(secret),
  Object.create(null)
]

/** Values of every kind, some of them personal, but no text that a field like `id` would show. */
export const junk: Arbitrary.Arbitrary<unknown> = oneOf<unknown>(
  Arbitrary.schema(Schema.Json),
  pick<unknown>([...kinds, ...oddTexts, ...phones, ...carriers, ...objects, ...values])
)

const objectOf = (keys: ReadonlyArray<string>): Arbitrary.Arbitrary<Readonly<Record<string, unknown>>> =>
  Arbitrary.array(Arbitrary.all({ key: pick(keys), value: junk }), { maxLength: keys.length + 1 }).pipe(
    Arbitrary.map((entries) => Object.fromEntries(entries.map(({ key, value }) => [key, value])))
  )

/** `right` with some of its fields set to anything, or junk in its place. */
export const spoilt = (right: object, keys = Object.keys(right)): Arbitrary.Arbitrary<unknown> =>
  oneOf<unknown>(
    junk,
    objectOf(keys),
    ...Array.from({ length: 4 }, () =>
      objectOf(keys).pipe(Arbitrary.map((fields) => Object.assign({}, right, fields)))
    )
  )

/** However a value is printed, it shows neither the phone number nor the secret. */
export const assertSafe = (value: unknown): void => {
  for (const printed of [
    String(value),
    JSON.stringify(value),
    inspect(value, { depth: Infinity }),
    Formatter.format(value),
    Cause.pretty(Cause.fail(value))
  ]) {
    assert.notInclude(printed, secret)
    assert.notInclude(printed.replace(/[^\d*]/gu, ""), phone)
  }
}
