/**
 * What the compiler knows about templates. Nothing here runs: the file holds if it compiles, and each
 * `@ts-expect-error` is a line that must not.
 */
import type * as Effect from "effect/Effect"
import * as Template from "../../src/Template.ts"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_Claim extends true>(): void => undefined

export const names = (): void => {
  holds<Equals<Template.Variables<"Order {n} is {state}">, "n" | "state">>()
  holds<Equals<Template.Variables<"{n}{n} {n}">, "n">>()
  holds<Equals<Template.Variables<"">, never>>()
  holds<Equals<Template.Variables<"no gap">, never>>()
  holds<Equals<Template.Variables<"{{n}} {{{n}}} {{">, "n">>()
  holds<Equals<Template.Variables<"{_a1}{B_2}">, "_a1" | "B_2">>()
  holds<Equals<Template.Variables<"Замовлення {n}\n😀 {стан">, never>>()
  holds<
    Equals<Template.Values<"n" | "state">, { readonly n: Template.Value; readonly state: Template.Value }>
  >()

  const order = Template.make("Order {n} is {state}")
  holds<Equals<typeof order, Template.Template<"n" | "state">>>()
  holds<Equals<typeof order.variables, ReadonlyArray<"n" | "state">>>()
  holds<Equals<ReturnType<typeof order.render>, string>>()
  holds<Equals<typeof order.name, string | undefined>>()
}

type Ten<Text extends string> = `${Text}${Text}${Text}${Text}${Text}${Text}${Text}${Text}${Text}${Text}`

// From brace to brace, not from character to character: 10,000 characters and 400 braces are near no limit.
export const long = (): void => {
  holds<
    Equals<Template.Variables<`{a}${Ten<Ten<Ten<"0123456789">>>}{b}${Ten<Ten<"{{}}{n}">>}`>, "a" | "b" | "n">
  >()
}

export const malformed = (text: string): void => {
  // @ts-expect-error never closed
  Template.make("Order {n")
  // @ts-expect-error never closed, though a later gap is
  Template.make("Order {n is {state}")
  // @ts-expect-error never closed: the first two are a brace
  Template.make("{{{n")
  // @ts-expect-error closes nothing
  Template.make("Order n}")
  // @ts-expect-error closes nothing: the first two are a brace
  Template.make("n}}}")
  // @ts-expect-error closes nothing
  Template.make("}{n}")
  // @ts-expect-error closes nothing: a gap closes with one brace
  Template.make("{n}}")
  // @ts-expect-error no name
  Template.make("Order {}")
  // @ts-expect-error a space is no name
  Template.make("Order { n }")
  // @ts-expect-error nor is a path
  Template.make("Order {order.n}")
  // @ts-expect-error nor a number
  Template.make("Order {0}")
  // @ts-expect-error nor a word in another alphabet
  Template.make("Order {номер}")
  // @ts-expect-error the problem stands after a good gap
  Template.make("{n} {n-1}")
  // @ts-expect-error not a literal
  Template.make(text)
  // @ts-expect-error not a literal as a whole
  Template.make(`Order {n} ${text}`)
  // @ts-expect-error one of the two is malformed
  Template.make(text.length > 1 ? "{n}" : "{n")

  Template.make("{n} {{ }} {state}", { name: "order", transliterate: true })
  // @ts-expect-error no such option
  Template.make("{n}", { locale: "uk" })
}

export const rendering = (given: {
  readonly n: number
  readonly state: string
  readonly city: string
}): void => {
  const order = Template.make("Order {n} is {state}")
  order.render({ n: 12, state: "ready" })
  order.render({ n: 12n, state: 0 })
  // @ts-expect-error `state` is missing
  order.render({ n: 12 })
  // @ts-expect-error both are missing
  order.render({})
  // @ts-expect-error all values are missing
  order.render()
  // @ts-expect-error `city` is left over
  order.render({ n: 12, state: "ready", city: "Lviv" })
  // @ts-expect-error `city` is left over, in a variable too
  order.render(given)
  // @ts-expect-error `stat` is misspelt
  order.render({ n: 12, stat: "ready" })
  // @ts-expect-error null is no value
  order.render({ n: 12, state: null })
  // @ts-expect-error undefined is no value
  order.render({ n: 12, state: undefined })
  // @ts-expect-error neither is a date: how it is written is for the caller to say
  order.render({ n: 12, state: new Date(0) })
  // @ts-expect-error a record may hold any names, or none
  order.render({} as Record<string, string>)

  const greeting = Template.make("Hello")
  greeting.render()
  greeting.render({})
  // @ts-expect-error there is no variable
  greeting.render({ n: 12 })

  // Of two texts each value is needed that one of them needs.
  const either = Template.make(given.n > 1 ? "{a}" : "{b}")
  either.render({ a: 1, b: 2 })
  // @ts-expect-error `b` is missing
  either.render({ a: 1 })

  Template.segments(order, { n: 12, state: "ready" })
  Template.segments(greeting)
  // @ts-expect-error `state` is missing
  Template.segments(order, { n: 12 })
  // @ts-expect-error `city` is left over
  Template.segments(order, given)
}

export const kinds = (order: Template.Template<"n" | "state">, parsed: Template.UntypedTemplate): void => {
  holds<
    Equals<
      ReturnType<typeof Template.parse>,
      Effect.Effect<Template.UntypedTemplate, Template.InvalidTemplate>
    >
  >()
  holds<
    Equals<ReturnType<typeof parsed.renderUnknown>, Effect.Effect<string, Template.InvalidTemplateValues>>
  >()
  const untyped: Template.UntypedTemplate = order
  untyped.renderUnknown({ anything: 1 })
  // @ts-expect-error what is read at run time has no names to check against
  parsed.render({ n: 12 })
  // @ts-expect-error nor can it pass for a template that has
  const typed: Template.Template<"n" | "state"> = parsed
  // @ts-expect-error fewer names are another template
  const fewer: Template.Template<"n"> = order
  // @ts-expect-error so are more
  const more: Template.Template<"n" | "state" | "city"> = order
  holds<Equals<[typeof typed, typeof fewer, typeof more]["length"], 3>>()
}
