/**
 * A message text with named gaps: `Order {n} is {state}`.
 *
 * Use it wherever a text takes values: a gap that is forgotten, misspelt or left over is a compile-time
 * error, and a value is never read as template text again. `{name}` is a gap, `{{` and `}}` are braces. A
 * name is letters, digits and `_`, without a digit in front.
 *
 * Rendering happens here, before the message is made. The provider has variables of its own (`%name=1%`, see
 * https://smsbat-help.pages.dev/api/cascade/variables/), which are not used: their values are uploaded ahead
 * of the messages, under numbers from one space for the whole account, and the page promises nothing that
 * keeps the values of two senders apart. Two that both number from 1 may overwrite each other's before the
 * texts are put together, and one person then reads what was meant for another. A text rendered here is also
 * the one that is validated, stored and counted ({@link segments}).
 *
 * What is written in a value goes out as it stands, a `%name=1%` too. The provider documents no way to escape
 * it, so do not let strangers write whole values unchecked.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { own } from "./internal/unknown.ts"
import * as SmsSegments from "./SmsSegments.ts"

/**
 * What fills a gap. Numbers are written as `String` writes them, without a locale: format an amount of money
 * or a date first. `NaN` and the infinities are refused.
 */
export type Value = string | number | bigint

/** One value for each name. */
export type Values<Names extends string> = { readonly [Name in Names]: Value }

/**
 * The names in a template's text: `"n" | "state"` for `"Order {n} is {state}"`. `never` where it has none or
 * is malformed.
 */
export type Variables<Text extends string> = Text extends unknown
  ? Parse<Text> extends { readonly names: infer Names extends string }
    ? Names
    : never
  : never

/** How a template is made. */
export interface TemplateOptions {
  /** What the template's errors call it, for example the key of a translation. Defaults to no name. */
  readonly name?: string | undefined
  /**
   * Whether the rendered text, values included, goes through `SmsSegments.transliterate`, so that a `’` in
   * somebody's name does not multiply the price of an SMS. Defaults to `false`.
   */
  readonly transliterate?: boolean | undefined
}

const defaults = { name: undefined, transliterate: false } satisfies TemplateOptions

/** A text that is no template. It tells where and why, and never quotes the text. */
export class InvalidTemplate extends Schema.TaggedError<InvalidTemplate>(
  "@effect-cascade/core/Template/InvalidTemplate"
)("InvalidTemplate", {
  /** The template's name, where it was given one. */
  template: Schema.optional(Schema.String),
  /** Where the first problem begins: the offending brace, in UTF-16 units from 0. */
  position: Schema.Natural,
  problem: Schema.Literals(["UnclosedBrace", "UnopenedBrace", "EmptyName", "BadName"])
}) {
  override get message(): string {
    return `${called(this.template)} is malformed at ${this.position}: ${mending[this.problem]}`
  }
}

/** Values that do not fit a template. It tells their names, all of them at once, and never a value. */
export class InvalidTemplateValues extends Schema.TaggedError<InvalidTemplateValues>(
  "@effect-cascade/core/Template/InvalidTemplateValues"
)("InvalidTemplateValues", {
  /** The template's name, where it was given one. */
  template: Schema.optional(Schema.String),
  /** The names the template has and the record has not, or has as `undefined`. */
  missing: Schema.Array(Schema.String),
  /** The names the record has and the template has not, the first 20. A key that could name no variable is written `?`. */
  extra: Schema.Array(Schema.String),
  /** The names whose value is neither a string, a bigint nor a finite number. */
  invalid: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const list = (label: string, names: ReadonlyArray<string>) =>
      names.length === 0 ? [] : [`${label}: ${names.join(", ")}`]
    const problems = [
      ...list("missing", this.missing),
      ...list("extra", this.extra),
      ...list("not a string, a bigint or a finite number", this.invalid)
    ]
    return `${called(this.template)} cannot be rendered; ${problems.join("; ")}`
  }
}

/**
 * A template whose names are known at run time only, from {@link parse}. Every {@link Template} is one too.
 */
export interface UntypedTemplate {
  /** The name it was given, if any. */
  readonly name: string | undefined
  /** The names of its variables, each once, in the order in which they first appear. */
  readonly variables: ReadonlyArray<string>
  /**
   * Renders with a record of unknown shape. Only the record's own properties count; anything that is not an
   * object counts as an empty record. Fails with {@link InvalidTemplateValues} when a value is missing, is no
   * {@link Value}, or belongs to no variable.
   */
  readonly renderUnknown: (record: unknown) => Effect.Effect<string, InvalidTemplateValues>
}

/**
 * A template whose names are known to the compiler.
 *
 * @see make
 */
export interface Template<in out Names extends string> extends UntypedTemplate {
  readonly variables: ReadonlyArray<Names>
  /**
   * Renders with one value for each variable; one too few or too many does not compile. The values may be
   * left out where there are no variables.
   *
   * Where the types were talked around and a value is missing or is no {@link Value}, it throws
   * {@link InvalidTemplateValues} rather than write `undefined` to somebody. Own properties that the types do
   * not show are passed over.
   */
  readonly render: <const Given extends Values<Names>>(...values: RenderArguments<Given, Names>) => string
}

/**
 * Makes a template from a literal in the source. A malformed literal does not compile, and neither does a
 * text that is not a literal, which is for {@link parse}. A malformed text that got past the compiler is a
 * defect: it throws {@link InvalidTemplate}.
 *
 * @example
 * ```ts
 * import { Template } from "@effect-cascade/core"
 *
 * const ready = Template.make("Order {n} is {state}") // Template<"n" | "state">
 * ready.render({ n: 1042, state: "ready" }) // "Order 1042 is ready"
 * ```
 */
export const make = <const Text extends string>(
  text: Checked<Text>,
  options?: TemplateOptions
): Template<Variables<Text>> => {
  const name = options?.name ?? defaults.name
  const scanned = scan(text, name)
  // The text stands in the source, so there is nobody to handle a typed error.
  if (scanned instanceof InvalidTemplate) throw scanned
  const render = (record: unknown = {}): string => {
    const { written, missing, invalid } = fill(scanned, record)
    if (missing.length + invalid.length === 0) return finish(written, options)
    throw new InvalidTemplateValues({ template: name, missing, extra: [], invalid })
  }
  return typed<Variables<Text>>(untyped(scanned, name, options), render)
}

/**
 * Reads a template from a text that comes from outside: a file of translations, a table, a form. Fails with
 * {@link InvalidTemplate} at its first problem.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Template } from "@effect-cascade/core"
 *
 * const text = Effect.gen(function* () {
 *   const template = yield* Template.parse("Замовлення {n} готове", { name: "ready.uk" })
 *   return yield* template.renderUnknown({ n: 1042 })
 * })
 * ```
 */
export const parse = (
  text: string,
  options?: TemplateOptions
): Effect.Effect<UntypedTemplate, InvalidTemplate> =>
  Effect.suspend(() => {
    const name = options?.name ?? defaults.name
    const scanned = scan(text, name)
    return scanned instanceof InvalidTemplate
      ? Effect.fail(scanned)
      : Effect.succeed(untyped(scanned, name, options))
  })

/**
 * Counts the SMS parts of one rendering. With the longest values you expect, it is what a test of the text
 * asserts.
 *
 * @example
 * ```ts
 * import { Template } from "@effect-cascade/core"
 *
 * const ready = Template.make("Order {n} is {state}")
 * Template.segments(ready, { n: 999_999_999, state: "on its way" }).segments // 1
 * ```
 */
export const segments = <Names extends string, const Given extends Values<Names>>(
  template: Template<Names>,
  ...sampleValues: RenderArguments<Given, Names>
): SmsSegments.SmsSegments => SmsSegments.count(template.render(...sampleValues))

/** What {@link make} asks of a text: the text itself, or the problem in words where it has one. */
export type Checked<Text extends string> = Text extends unknown
  ? {} extends Record<Text, 1> // true of `string` and of patterns such as `a${string}`: no key is certain
    ? "this text is not a literal: use Template.parse"
    : Parse<Text> extends infer Problem extends string
      ? Problem
      : Text
  : never

/**
 * One argument, the given values and nothing for names that the template does not have; none is needed
 * without names.
 */
export type RenderArguments<Given, Names extends string> = [Names] extends [never]
  ? [values?: Exactly<Given, Names>]
  : [values: Exactly<Given, Names>]

type Exactly<Given, Names extends string> = Given & { readonly [Name in Exclude<keyof Given, Names>]: never }

/**
 * The names of a text, or its first problem in words. It walks from brace to brace, so a long text is no deep
 * one.
 */
type Parse<Text extends string, Found extends string = never> = Text extends `${infer Before}{${infer After}`
  ? IsPaired<Before> extends false
    ? UnopenedBrace
    : After extends `{${infer Rest}`
      ? Parse<Rest, Found>
      : After extends `${infer Name}}${infer Rest}`
        ? Name extends `${string}{${string}`
          ? UnclosedBrace
          : Name extends ""
            ? "a variable has no name: {}"
            : IsName<Name> extends true
              ? Parse<Rest, Found | Name>
              : `{${Name}} is no variable: a name is letters, digits and _, without a digit in front`
        : UnclosedBrace
  : IsPaired<Text> extends false
    ? UnopenedBrace
    : { readonly names: Found }

type UnclosedBrace = "a { is never closed; write {{ for a brace"
type UnopenedBrace = "a } closes nothing; write }} for a brace"

type IsPaired<Text extends string> = Text extends `${infer _}}${infer After}`
  ? After extends `}${infer Rest}`
    ? IsPaired<Rest>
    : false
  : true

type IsName<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? First extends Letter
    ? IsNameRest<Rest>
    : false
  : false

type IsNameRest<Rest extends string> = Rest extends `${infer First}${infer Others}`
  ? First extends Letter | Digit
    ? IsNameRest<Others>
    : false
  : true

type Digit = "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9"
type Lower =
  | ("a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "i" | "j" | "k" | "l" | "m")
  | ("n" | "o" | "p" | "q" | "r" | "s" | "t" | "u" | "v" | "w" | "x" | "y" | "z")
type Letter = Lower | Uppercase<Lower> | "_"

/** Literal text, or the name of a variable. */
type Piece = { readonly text: string } | { readonly variable: string }

const token = /\{\{|\}\}|\{([^{}]*)\}|[{}]/gu
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/u

const scan = (text: string, name: string | undefined): ReadonlyArray<Piece> | InvalidTemplate => {
  const pieces: Array<Piece> = []
  let from = 0
  for (const match of text.matchAll(token)) {
    const [found, variable] = match
    const position = match.index
    const invalid = (problem: InvalidTemplate["problem"]) =>
      new InvalidTemplate({ template: name, position, problem })
    pieces.push({ text: text.slice(from, position) })
    from = position + found.length
    if (found === "{{" || found === "}}") pieces.push({ text: found.slice(1) })
    else if (variable === undefined) return invalid(found === "{" ? "UnclosedBrace" : "UnopenedBrace")
    else if (variable === "") return invalid("EmptyName")
    else if (!variableName.test(variable)) return invalid("BadName")
    else pieces.push({ variable })
  }
  pieces.push({ text: text.slice(from) })
  return pieces
}

// A record of any size must not make an error of any size.
const extraLimit = 20

const untyped = (
  pieces: ReadonlyArray<Piece>,
  name: string | undefined,
  options: TemplateOptions | undefined
): UntypedTemplate => {
  const variables = [...new Set(pieces.flatMap((piece) => ("variable" in piece ? [piece.variable] : [])))]
  return {
    name,
    variables,
    renderUnknown: (record) =>
      Effect.suspend(() => {
        const { written, missing, invalid } = fill(pieces, record)
        const extra = ownKeys(record)
          .filter((key) => !variables.includes(key))
          .slice(0, extraLimit)
          // A key from outside is data: only what could be a variable is repeated in an error.
          .map((key) => (key.length <= 64 && variableName.test(key) ? key : "?"))
        return missing.length + invalid.length + extra.length === 0
          ? Effect.succeed(finish(written, options))
          : Effect.fail(new InvalidTemplateValues({ template: name, missing, extra, invalid }))
      })
  }
}

const typed = <Names extends string>(
  template: UntypedTemplate,
  render: (record?: unknown) => string
): Template<Names> => ({
  ...template,
  // The compiler and `scan` read the same grammar, so these are the names it inferred from the same text.
  variables: template.variables as ReadonlyArray<Names>,
  render
})

// Each property is read once and the text is put together in one pass: no value is ever scanned for gaps.
const fill = (pieces: ReadonlyArray<Piece>, record: unknown) => {
  const values = new Map<string, unknown>()
  const missing = new Set<string>()
  const invalid = new Set<string>()
  let written = ""
  for (const piece of pieces) {
    if ("text" in piece) {
      written += piece.text
      continue
    }
    const name = piece.variable
    if (!values.has(name)) values.set(name, own(record, name))
    const value = values.get(name)
    if (isValue(value)) written += value
    else (value === undefined ? missing : invalid).add(name)
  }
  return { written, missing: [...missing], invalid: [...invalid] }
}

const ownKeys = (record: unknown): ReadonlyArray<string> =>
  typeof record === "object" && record !== null ? Object.keys(record) : []

const isValue = (value: unknown): value is Value =>
  typeof value === "string" || typeof value === "bigint" || Number.isFinite(value)

const finish = (written: string, options: TemplateOptions | undefined): string =>
  (options?.transliterate ?? defaults.transliterate) ? SmsSegments.transliterate(written) : written

const called = (name: string | undefined): string => (name === undefined ? "A template" : `Template ${name}`)

const mending: { readonly [Problem in InvalidTemplate["problem"]]: string } = {
  UnclosedBrace: "this { is never closed; write {{ for a brace",
  UnopenedBrace: "this } closes nothing; write }} for a brace",
  EmptyName: "a variable has no name",
  BadName: "a name is letters, digits and _, without a digit in front"
}
