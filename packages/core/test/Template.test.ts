import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Option, Schema } from "effect"
import { inspect } from "node:util"
import * as SmsSegments from "../src/SmsSegments.ts"
import * as Template from "../src/Template.ts"
import { assertSafe, oneOf, phone, pick, secret, spoilt } from "./support/junk.ts"

const thrownBy = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return error
  }
  return assert.fail("nothing was thrown")
}

// What a caller without types can do: `never` goes everywhere, so the compiler is talked out of its checks.
const unchecked = (value: unknown): never => value as never

describe("Template.make", () => {
  const order = Template.make("Order {n} is {state}")

  it("renders", () => {
    assert.strictEqual(order.render({ n: 12, state: "ready" }), "Order 12 is ready")
    assert.deepStrictEqual(order.variables, ["n", "state"])
  })

  it("writes numbers as String does", () => {
    const value = Template.make("{v}")
    assert.strictEqual(value.render({ v: 0.1 }), "0.1")
    assert.strictEqual(value.render({ v: -0 }), "0")
    assert.strictEqual(value.render({ v: 2n ** 64n }), "18446744073709551616")
    assert.strictEqual(value.render({ v: "" }), "")
  })

  it("fills a gap as often as it stands, and lists it once", () => {
    const twice = Template.make("{b}{a}{b}")
    assert.strictEqual(twice.render({ a: 1, b: 2 }), "212")
    assert.deepStrictEqual(twice.variables, ["b", "a"])
  })

  it("needs no values where there is no gap", () => {
    assert.strictEqual(Template.make("Hello").render(), "Hello")
    assert.strictEqual(Template.make("").render({}), "")
    assert.deepStrictEqual(Template.make("Hello").variables, [])
  })

  it("writes doubled braces as braces", () => {
    assert.strictEqual(Template.make("{{n}} {{{n}}} }}{{").render({ n: 1 }), "{n} {1} }{")
    assert.strictEqual(Template.make("{{}}").render(), "{}")
  })

  it("never reads a value as template text", () => {
    assert.strictEqual(order.render({ n: "{state}", state: "{n} {{ }} {" }), "Order {state} is {n} {{ }} {")
    assert.strictEqual(order.render({ n: "$&", state: "$1 $` \\0" }), "Order $& is $1 $` \\0")
  })

  it("takes own properties only", () => {
    const odd = Template.make("{__proto__} {constructor} {toString}")
    const own = Object.fromEntries([
      ["__proto__", "a"],
      ["constructor", "b"],
      ["toString", "c"]
    ])
    assert.strictEqual(odd.render(unchecked(own)), "a b c")
    const inherited: unknown = Object.create({ n: 1, state: "ready" })
    for (const values of [{}, inherited]) {
      assert.instanceOf(
        thrownBy(() => odd.render(unchecked(values))),
        Template.InvalidTemplateValues
      )
    }
    const error = thrownBy(() => order.render(unchecked(inherited)))
    assert.instanceOf(error, Template.InvalidTemplateValues)
    assert.deepStrictEqual(error.missing, ["n", "state"])
  })

  it("throws rather than write undefined, null, NaN or an object to somebody", () => {
    for (const n of [undefined, null, Number.NaN, Number.POSITIVE_INFINITY, {}, [], true, Symbol("n")]) {
      const error = thrownBy(() => order.render(unchecked({ n, state: "ready" })))
      assert.instanceOf(error, Template.InvalidTemplateValues)
      assert.deepStrictEqual([...error.missing, ...error.invalid], ["n"])
    }
    assert.instanceOf(
      thrownBy(() => Reflect.apply(order.render, undefined, [])),
      Template.InvalidTemplateValues
    )
  })

  it("passes over properties that the types do not show", () => {
    const more = { n: 12, state: "ready", city: "Lviv" }
    const narrow: { readonly n: number; readonly state: string } = more
    assert.strictEqual(order.render(narrow), "Order 12 is ready")
  })

  it("throws on a malformed text that got past the compiler", () => {
    const error = thrownBy(() => Template.make(unchecked("Order {n"), { name: "order" }))
    assert.instanceOf(error, Template.InvalidTemplate)
    assert.strictEqual(error.position, 6)
    assert.strictEqual(
      error.message,
      "Template order is malformed at 6: this { is never closed; write {{ for a brace"
    )
  })

  it("transliterates the whole text where asked", () => {
    const text = "Пан {who} – “{n}”"
    assert.strictEqual(Template.make(text).render({ who: "O’Neill", n: 1 }), "Пан O’Neill – “1”")
    assert.strictEqual(
      Template.make(text, { transliterate: true }).render({ who: "O’Neill", n: 1 }),
      'Пан O\'Neill - "1"'
    )
  })

  it("shows neither its text nor its values", () => {
    const secret = Template.make("canary-text {n}", { name: "shown" })
    secret.render({ n: "canary-value" })
    for (const printed of [inspect(secret, { depth: null }), JSON.stringify(secret), String(secret)]) {
      assert.notInclude(printed, "canary")
    }
    assert.include(JSON.stringify(secret), "shown")
  })
})

describe("Template.parse", () => {
  it.effect("reads a template", () =>
    Effect.gen(function* () {
      const template = yield* Template.parse("Замовлення {n}: {{{state}}}", { name: "order.uk" })
      assert.strictEqual(template.name, "order.uk")
      assert.deepStrictEqual(template.variables, ["n", "state"])
      assert.strictEqual(yield* template.renderUnknown({ n: 12, state: "готове" }), "Замовлення 12: {готове}")
    })
  )

  const malformed: ReadonlyArray<readonly [text: string, problem: string, position: number]> = [
    ["{", "UnclosedBrace", 0],
    ["Order {n", "UnclosedBrace", 6],
    ["Order {n is {state}", "UnclosedBrace", 6],
    ["{{{n", "UnclosedBrace", 2],
    ["{n{{", "UnclosedBrace", 0],
    ["}", "UnopenedBrace", 0],
    ["Order n}", "UnopenedBrace", 7],
    ["n}}}", "UnopenedBrace", 3],
    ["{n}}", "UnopenedBrace", 3],
    ["{{n}", "UnopenedBrace", 3],
    ["}{n}", "UnopenedBrace", 0],
    ["{}}", "EmptyName", 0],
    ["😀{}", "EmptyName", 2],
    ["{ n }", "BadName", 0],
    ["{n} {order.n} {", "BadName", 4],
    ["{0}", "BadName", 0],
    ["{номер}", "BadName", 0],
    ["{n\n}", "BadName", 0]
  ]
  for (const [text, problem, position] of malformed) {
    it.effect(`refuses ${JSON.stringify(text)}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Template.parse(text))
        assert.deepStrictEqual(
          [error._tag, error.problem, error.position],
          ["InvalidTemplate", problem, position]
        )
        assert.strictEqual(error.template, undefined)
        assert.include(String(error), "InvalidTemplate: A template is malformed at ")
      })
    )
  }

  it.effect("never quotes the text in its error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Template.parse("canary {canary canary}", { name: "shown" }))
      for (const printed of [error.message, inspect(error), JSON.stringify(error), String(error)]) {
        assert.notInclude(printed, "canary")
      }
      assert.include(error.message, "shown")
      const json = yield* Schema.encodeEffect(Template.InvalidTemplate)(error)
      assert.deepStrictEqual(
        { ...json },
        { _tag: "InvalidTemplate", template: "shown", position: 7, problem: "BadName" }
      )
    })
  )

  const pieces = Arbitrary.array(
    Arbitrary.schema(Schema.Literals(["{", "}", "{{", "}}", "{a}", "{b}", "a", "b", "_", "0", " ", "я"])),
    { maxLength: 12 }
  )
  // Braces again, so that a value read as template text would show.
  const valueOf = (name: string) => `{${name}}}`
  const runs = { arbitrary: { runs: 2000 } }

  it.effect.prop(
    "reads what a reader of one character at a time reads",
    [pieces],
    ([parts]) =>
      Effect.gen(function* () {
        const text = parts.join("")
        const expected = readByCharacter(text, valueOf)
        const read = yield* Effect.result(Template.parse(text))
        if (typeof expected === "object") {
          assert.strictEqual(read._tag, "Failure", text)
          if (read._tag === "Failure") {
            assert.deepStrictEqual([read.failure.problem, read.failure.position], expected.problem, text)
          }
          return
        }
        assert.strictEqual(read._tag, "Success", text)
        if (read._tag === "Success") {
          const { variables, renderUnknown } = read.success
          const values = Object.fromEntries(variables.map((name) => [name, valueOf(name)]))
          assert.strictEqual(yield* renderUnknown(values), expected, text)
        }
      }),
    runs
  )

  it.effect.prop("gives any text back when its braces are doubled", [Schema.String], ([text]) =>
    Effect.gen(function* () {
      const template = yield* Template.parse(text.replace(/[{}]/gu, "$&$&"))
      assert.strictEqual(yield* template.renderUnknown({}), text)
    })
  )

  it.effect.prop("gives any value back unread", [Schema.String], ([value]) =>
    Effect.gen(function* () {
      const template = yield* Template.parse("<{a}|{a}>")
      assert.strictEqual(yield* template.renderUnknown({ a: value }), `<${value}|${value}>`)
    })
  )
})

describe("Template.renderUnknown", () => {
  const order = Template.make("Order {n} is {state} in {city}", { name: "order" })

  it.effect("lists everything that does not fit at once", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        order.renderUnknown({ city: null, state: undefined, town: "Lviv", street: "canary" })
      )
      assert.strictEqual(error._tag, "InvalidTemplateValues")
      assert.deepStrictEqual(error.missing, ["n", "state"])
      assert.deepStrictEqual(error.invalid, ["city"])
      assert.deepStrictEqual(error.extra, ["town", "street"])
      assert.strictEqual(
        error.message,
        "Template order cannot be rendered; missing: n, state; extra: town, street; " +
          "not a string, a bigint or a finite number: city"
      )
    })
  )

  it.effect("shows no value, and no key that could be one", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        order.renderUnknown({
          n: { canary: 1 },
          "+380671112233": 1,
          "canary text": 2,
          ["canary".repeat(11)]: 3
        })
      )
      assert.deepStrictEqual(error.extra, ["?", "?", "?"])
      for (const printed of [error.message, inspect(error), JSON.stringify(error)]) {
        assert.notInclude(printed, "canary")
        assert.notInclude(printed, "38067")
      }
    })
  )

  it.effect("takes own properties only, and each as it is", () =>
    Effect.gen(function* () {
      const odd = yield* Template.parse("{__proto__} {constructor}")
      const error = yield* Effect.flip(odd.renderUnknown({}))
      assert.deepStrictEqual(error.missing, ["__proto__", "constructor"])
      assert.strictEqual(
        yield* odd.renderUnknown(JSON.parse('{ "__proto__": "{constructor}", "constructor": "b" }')),
        "{constructor} b"
      )
      const bare: unknown = Object.assign(Object.create(null), { n: 1, state: "a", city: "b" })
      assert.strictEqual(yield* order.renderUnknown(bare), "Order 1 is a in b")
    })
  )

  it.effect("takes anything that is no object for an empty record", () =>
    Effect.gen(function* () {
      const bare = yield* Template.parse("Hello")
      for (const record of [null, undefined, "text", 12, true]) {
        const error = yield* Effect.flip(order.renderUnknown(record))
        assert.deepStrictEqual(error.missing, ["n", "state", "city"])
        assert.deepStrictEqual(error.extra, [])
        assert.strictEqual(yield* bare.renderUnknown(record), "Hello")
      }
    })
  )

  it.effect("reads the record when it runs, each property once", () =>
    Effect.gen(function* () {
      let reads = 0
      const record = {
        get a() {
          reads++
          return reads
        }
      }
      const program = (yield* Template.parse("{a} {a}")).renderUnknown(record)
      assert.strictEqual(reads, 0)
      assert.strictEqual(yield* program, "1 1")
      assert.strictEqual(reads, 1)
    })
  )
})

describe("whatever comes in", () => {
  const runs = { arbitrary: { runs: 2000 } }
  const texts = oneOf(
    Arbitrary.schema(Schema.String),
    Arbitrary.array(pick(["{", "}", secret, "{a}", "{__proto__}", "\ud800", "\0", "{a"]), {
      maxLength: 8
    }).pipe(Arbitrary.map((parts) => parts.join("")))
  )

  it.effect.prop(
    "parse gives a template or an InvalidTemplate that quotes nothing",
    [texts],
    ([text]) =>
      Effect.gen(function* () {
        const parsed = yield* Effect.exit(Template.parse(text))
        if (Exit.isSuccess(parsed)) return
        const error = Option.getOrThrow(Exit.findErrorOption(parsed))
        assert.instanceOf(error, Template.InvalidTemplate)
        assert.isBelow(error.position, text.length)
        assertSafe(error)
      }),
    runs
  )

  it.effect.prop(
    "renderUnknown gives a text or an InvalidTemplateValues that shows no value",
    [spoilt({ a: secret, b: 1 }, ["a", "b", "c", "__proto__", "toString", phone])],
    ([record]) =>
      Effect.gen(function* () {
        const template = yield* Template.parse("{a}-{b}-{a}")
        const rendered = yield* Effect.exit(template.renderUnknown(record))
        const { a, b, ...others } = Object(record)
        const fits = [a, b].every(
          (value) => typeof value === "string" || typeof value === "bigint" || Number.isFinite(value)
        )
        if (Exit.isSuccess(rendered)) {
          assert.isTrue(fits)
          assert.strictEqual(rendered.value, `${a}-${b}-${a}`)
          assert.isEmpty(typeof record === "string" ? [] : Object.keys(others))
          return
        }
        const error = Option.getOrThrow(Exit.findErrorOption(rendered))
        assert.instanceOf(error, Template.InvalidTemplateValues)
        assert.isTrue(!fits || Object.keys(others).length > 0)
        assertSafe(error)
      }),
    runs
  )

  it.effect("no error grows with the record", () =>
    Effect.gen(function* () {
      const template = yield* Template.parse("{a}")
      const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${n}`, n]))
      const error = yield* Effect.flip(template.renderUnknown(many))
      assert.strictEqual(error.extra.length, 20)
      assert.deepStrictEqual(error.missing, ["a"])
    })
  )
})

describe("Template.segments", () => {
  it("counts a rendering", () => {
    const order = Template.make("Order {n} is {state}")
    assert.strictEqual(Template.segments(order, { n: 12, state: "ready" }).segments, 1)
    const long = { n: 12, state: "я".repeat(60) }
    assert.deepStrictEqual(Template.segments(order, long), SmsSegments.count(order.render(long)))
    assert.strictEqual(Template.segments(order, long).segments, 2)
    assert.strictEqual(Template.segments(Template.make("")).segments, 0)
  })

  it("counts what is sent: after transliteration", () => {
    const plain = Template.make("Don’t", { transliterate: true })
    assert.strictEqual(Template.segments(plain).encoding, "GSM-7")
  })
})

// The same grammar, read the slow way. A function declaration, since tests above name it before it stands here.
function readByCharacter(
  text: string,
  valueOf: (name: string) => string
): string | { readonly problem: readonly [problem: string, position: number] } {
  let written = ""
  let index = 0
  while (index < text.length) {
    const character = text.charAt(index)
    const doubled = text.charAt(index + 1) === character
    if (character === "{" && !doubled) {
      let end = index + 1
      while (end < text.length && text.charAt(end) !== "}" && text.charAt(end) !== "{") end++
      if (text.charAt(end) !== "}") return { problem: ["UnclosedBrace", index] }
      const name = text.slice(index + 1, end)
      if (name === "") return { problem: ["EmptyName", index] }
      if (Array.from(name).some((one, at) => !(/[A-Za-z_]/u.test(one) || (at > 0 && /[0-9]/u.test(one))))) {
        return { problem: ["BadName", index] }
      }
      written += valueOf(name)
      index = end + 1
    } else if (character === "}" && !doubled) {
      return { problem: ["UnopenedBrace", index] }
    } else {
      written += character
      index += doubled && (character === "{" || character === "}") ? 2 : 1
    }
  }
  return written
}
