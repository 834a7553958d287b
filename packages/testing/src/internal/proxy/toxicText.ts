/**
 * The text form of toxics, as plain records. Only the grammar is judged here; whether the fields fit is judged by the
 * schema of the toxic.
 */

/** A toxic in its JSON form, before its schema has judged it. Times are in milliseconds. */
export type ToxicRecord = Readonly<Record<string, unknown>>

/** What a text says, and what of it could not be read. */
export interface Parsed {
  readonly toxics: ReadonlyArray<ToxicRecord>
  readonly problems: ReadonlyArray<string>
}

interface Attribute {
  readonly name: string
  readonly field: string
  readonly kind: "time" | "number"
}

const time = (name: string, field = name): Attribute => ({ name, field, kind: "time" })
const number = (name: string, field = name): Attribute => ({ name, field, kind: "number" })

/** Each toxic by its name in text, with its attributes; the first may stand by itself. */
const toxics: ReadonlyMap<string, { readonly tag: string; readonly attributes: ReadonlyArray<Attribute> }> =
  new Map([
    ["latency", { tag: "Latency", attributes: [time("latency"), time("jitter")] }],
    ["bandwidth", { tag: "Bandwidth", attributes: [number("rate")] }],
    ["slow_close", { tag: "SlowClose", attributes: [time("delay")] }],
    ["timeout", { tag: "Timeout", attributes: [time("timeout")] }],
    ["reset_peer", { tag: "ResetPeer", attributes: [time("timeout")] }],
    [
      "slicer",
      {
        tag: "Slicer",
        attributes: [
          number("average_size", "averageSize"),
          number("size_variation", "sizeVariation"),
          time("delay")
        ]
      }
    ],
    ["limit_data", { tag: "LimitData", attributes: [number("bytes")] }],
    ["down", { tag: "Down", attributes: [] }]
  ])

const names = [...toxics.keys()]

/** The name of a toxic in text. */
export const nameOf = (toxic: object): string =>
  names.find((name) => "_tag" in toxic && toxics.get(name)?.tag === toxic._tag) ?? "toxic"

// A text of any size must not make an error of any size.
const problemLimit = 20
const shown = (text: string): string => text.slice(0, 40)

/** Reads toxics apart by commas. */
export const parse = (text: string): Parsed => {
  const problems: Array<string> = []
  const entries = text.split(",").map((entry) => entry.trim())
  const toxics: Array<ToxicRecord> = []
  for (const entry of entries) {
    if (problems.length >= problemLimit) return { toxics, problems: [...problems, "and more behind these"] }
    if (entry !== "") toxics.push(...parseOne(entry, problems))
  }
  return { toxics, problems }
}

/** The text of one toxic; {@link parse} reads it back. */
export const format = (toxic: ToxicRecord): string => {
  const name = nameOf(toxic)
  const attributes = (toxics.get(name)?.attributes ?? []).flatMap(({ field, kind, name }) => {
    const value = toxic[field]
    return typeof value === "number" ? [`${name}=${value}${kind === "time" ? "ms" : ""}`] : []
  })
  const stream = typeof toxic["stream"] === "string" ? [toxic["stream"]] : []
  const toxicity = typeof toxic["toxicity"] === "number" ? [`toxicity=${toxic["toxicity"]}`] : []
  return [name, ...attributes, ...stream, ...toxicity].join(":")
}

const parseOne = (entry: string, problems: Array<string>): ReadonlyArray<ToxicRecord> => {
  const [name = "", ...parts] = entry.split(":").map((part) => part.trim())
  const known = toxics.get(name)
  if (known === undefined) {
    problems.push(`"${shown(name)}" is no toxic; the toxics are ${names.join(", ")}`)
    return []
  }
  const toxic: Record<string, unknown> = { _tag: known.tag }
  for (const part of parts) {
    const fields = readPart(part, known.attributes)
    if (fields === undefined)
      problems.push(`${name}: "${shown(part)}" cannot be read; ${help(known.attributes)}`)
    else Object.assign(toxic, fields)
  }
  return [toxic]
}

const readPart = (part: string, attributes: ReadonlyArray<Attribute>): ToxicRecord | undefined => {
  if (part === "upstream" || part === "downstream" || part === "both") return { stream: part }
  const percent = /^(.+)%$/.exec(part)?.[1]
  if (percent !== undefined) return isNumber(percent) ? { toxicity: Number(percent) / 100 } : undefined
  const equals = part.indexOf("=")
  const key = equals === -1 ? attributes[0]?.name : part.slice(0, equals)
  const value = part.slice(equals + 1)
  if (key === "toxicity") return isNumber(value) ? { toxicity: Number(value) } : undefined
  const attribute = attributes.find(({ name }) => name === key)
  const read = attribute === undefined ? undefined : readValue(value, attribute.kind)
  return attribute === undefined || read === undefined ? undefined : { [attribute.field]: read }
}

const millisOf: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

// A bare number is milliseconds where a time is meant, as it is in Toxiproxy and in Effect.
const readValue = (value: string, kind: Attribute["kind"]): number | undefined => {
  const [, amount = "", unit] = /^(.*?)(us|ms|s|m|h)?$/.exec(value) ?? []
  if (!isNumber(amount) || (kind === "number" && unit !== undefined)) return undefined
  return Number(amount) * (millisOf[unit ?? "ms"] ?? 1)
}

const isNumber = (text: string): boolean => /^\d*\.?\d+(?:e[+-]?\d+)?$/.test(text)

const help = (attributes: ReadonlyArray<Attribute>): string =>
  [
    ...attributes.map(({ kind, name }) => `${name}=${kind === "time" ? "20ms" : "64"}`),
    "upstream, downstream or both",
    "a toxicity such as 5%"
  ].join(", ")
