/**
 * The text form of faults, as plain records: what is written on a command line and shown by the control interface.
 *
 * `429:0.05:retry-after=1s, reset-after:2%, latency:20-80ms`: faults apart by commas, the parts of one by colons.
 * Only the grammar is judged here; whether the fields fit is judged by the schema of the fault.
 */

/** A fault in its JSON form, before or after its schema has judged it. Times are in milliseconds. */
export interface FaultRecord {
  readonly _tag: string
  readonly [field: string]: unknown
}

/** What a text says: the faults of each entry, and what could not be read. */
export interface Parsed {
  readonly entries: ReadonlyArray<ReadonlyArray<FaultRecord>>
  readonly problems: ReadonlyArray<string>
}

// A text of any size must make neither an error nor a script of any size.
const problemLimit = 20
const cleanLimit = 100_000
const nameLimit = 40

/** Reads a plan or a script: entries apart by commas, faults of one entry joined by `+`, `ok` for no fault. */
export const parse = (text: string): Parsed => {
  const problems: Array<string> = []
  const entries: Array<ReadonlyArray<FaultRecord>> = []
  for (const entry of text.split(",")) {
    if (entry.trim() === "") continue
    const clean = /^\s*ok(?::(\d+)x)?\s*$/.exec(entry)
    if (clean !== null) {
      if (Number(clean[1] ?? 1) > cleanLimit) {
        problems.push(`ok: at most ${cleanLimit} times`)
        continue
      }
      for (let times = Number(clean[1] ?? 1); times > 0; times--) entries.push([])
      continue
    }
    const faults: Array<FaultRecord> = []
    for (const part of entry.split("+")) {
      if (problems.length >= problemLimit)
        return { entries, problems: [...problems, "and more behind these"] }
      faults.push(...parseFault(part.trim(), problems))
    }
    entries.push(faults)
  }
  return { entries, problems }
}

/** The text of one fault; {@link parse} reads it back. */
export const format = (fault: FaultRecord): string => {
  const [name, fixed] = entryOf(fault)
  const parts = [name]
  if (fault._tag === "Latency") parts.push(formatRange(fault["min"], fault["max"]))
  if (typeof fault["probability"] === "number") parts.push(decimal(fault["probability"]))
  if (typeof fault["count"] === "number") parts.push(`${fault["count"]}x`)
  for (const [key, parameter] of parameters) {
    const value = parameter.write(parameter.where ? recordOf(fault["where"]) : fault)
    if (value !== undefined && !Object.hasOwn(fixed, parameter.field)) parts.push(`${key}=${value}`)
  }
  return parts.join(":")
}

/** The name alone: `reset-after`. */
export const nameOf = (fault: FaultRecord): string => entryOf(fault)[0]

const entryOf = (fault: FaultRecord): readonly [string, FaultRecord] =>
  names.find(([, fixed]) => Object.entries(fixed).every(([key, value]) => fault[key] === value)) ?? [
    fault._tag,
    { _tag: fault._tag }
  ]

/** Every name that a fault can be called by. */
const knownNames = (): ReadonlyArray<string> => names.map(([name]) => name)

const staged = (name: string, tag: string, usual: "before" | "after", fixed: object = {}) =>
  (["before", "after"] as const).map(
    (when) => [when === usual ? name : `${name}-${when}`, { _tag: tag, ...fixed, when }] as const
  )

const names: ReadonlyArray<readonly [string, FaultRecord]> = [
  ...staged("latency", "Latency", "before"),
  ["429", { _tag: "TooManyRequests" }],
  ...[500, 502, 503, 504].flatMap((status) => staged(String(status), "ServerError", "before", { status })),
  ...staged("reset", "Reset", "before"),
  ["reset-reading", { _tag: "Reset", when: "reading" }],
  ...staged("hang", "Hang", "before"),
  ["truncated", { _tag: "TruncatedBody" }],
  ["shuffled", { _tag: "Shuffled" }],
  ["missing-ids", { _tag: "MissingIds" }],
  ["foreign-ids", { _tag: "ForeignIds" }],
  ["wrong-shape", { _tag: "WrongShape" }],
  ...staged("html", "Html200", "after"),
  ...staged("empty", "EmptyReply", "after"),
  ...[301, 302, 303, 307, 308].map((status) => [String(status), { _tag: "Redirect", status }] as const),
  ["slow-body", { _tag: "SlowBody" }],
  ...[401, 403].map((status) => [String(status), { _tag: "Unauthorized", status }] as const),
  ["poison", { _tag: "Poison" }]
]

const byName = new Map([
  ...names,
  // The stage that a bare name stands for may be written out too.
  ...names.flatMap(([name, fixed]) =>
    typeof fixed["when"] === "string" && !name.endsWith(fixed["when"])
      ? [[`${name}-${fixed["when"]}`, fixed] as const]
      : []
  )
])

interface Parameter {
  readonly field: string
  readonly where: boolean
  /** The fields that a value stands for, or `undefined` where it cannot be read. */
  readonly read: (value: string) => Readonly<Record<string, unknown>> | undefined
  readonly write: (fault: Readonly<Record<string, unknown>>) => string | undefined
}

const textual = (field: string, where = false): Parameter => ({
  field,
  where,
  read: (value) => ({ [field]: unescape(value) }),
  write: (fault) => (typeof fault[field] === "string" ? escape(fault[field]) : undefined)
})

const numeric = (field: string): Parameter => ({
  field,
  where: false,
  read: (value) => (/^\d+$/.test(value) ? { [field]: Number(value) } : undefined),
  write: (fault) => (typeof fault[field] === "number" ? String(fault[field]) : undefined)
})

// A number alone is seconds here, as it is in the header.
const retryAfter = (form: "seconds" | "date"): Parameter => ({
  field: "retryAfter",
  where: false,
  read: (value) => {
    const millis = /^\d+$/.test(value) ? Number(value) * 1000 : readTime(value)
    return millis === undefined ? undefined : { retryAfter: millis, ...(form === "date" ? { form } : {}) }
  },
  write: (fault) =>
    typeof fault["retryAfter"] === "number" && (fault["form"] ?? "seconds") === form
      ? formatTime(fault["retryAfter"])
      : undefined
})

const parameters: ReadonlyArray<readonly [string, Parameter]> = [
  ["retry-after", retryAfter("seconds")],
  ["retry-after-date", retryAfter("date")],
  ["amount", numeric("amount")],
  ["shape", textual("shape")],
  ["bytes", numeric("bytes")],
  [
    "pause",
    {
      field: "pause",
      where: false,
      read: (value) => {
        const millis = readTime(value)
        return millis === undefined ? undefined : { pause: millis }
      },
      write: (fault) => (typeof fault["pause"] === "number" ? formatTime(fault["pause"]) : undefined)
    }
  ],
  [
    "ids",
    {
      field: "trackingIds",
      where: false,
      read: (value) => ({ trackingIds: value.split("|").map(unescape) }),
      write: (fault) =>
        Array.isArray(fault["trackingIds"])
          ? fault["trackingIds"].map((id: unknown) => escape(String(id))).join("|")
          : undefined
    }
  ],
  ["marker", textual("marker")],
  ["status", numeric("status")],
  ["endpoint", textual("endpoint", true)],
  ["route", textual("route", true)],
  ["account", textual("account", true)],
  ["prefix", textual("prefix", true)],
  [
    "to",
    {
      field: "location",
      where: false,
      read: (value) => ({ location: value.replace(/%(?:25|2B|2C)/gi, decodeURIComponent) }),
      write: (fault) =>
        typeof fault["location"] === "string" ? fault["location"].replace(/[%,+]/g, percent) : undefined
    }
  ]
]

const parameterOf = new Map(parameters)

const parseFault = (text: string, problems: Array<string>): ReadonlyArray<FaultRecord> => {
  const [name = "", ...parts] = partsOf(text)
  const fixed = byName.get(name)
  if (fixed === undefined) {
    const shown = name.slice(0, nameLimit)
    const near = [...byName.keys(), "ok"].find((known) => distance(known, shown) <= 2)
    problems.push(
      `"${shown}" is no fault; ${near === undefined ? `the faults are ${knownNames().join(", ")}, and ok for none` : `did you mean ${near}?`}`
    )
    return []
  }
  const fault: Record<string, unknown> & FaultRecord = { ...fixed }
  const where: Record<string, unknown> = {}
  for (const part of parts) {
    const problem = readPart(part, fault, where)?.slice(0, 500)
    if (problem !== undefined) problems.push(`${name}: ${problem}`)
  }
  return [Object.keys(where).length === 0 ? fault : { ...fault, where }]
}

/** How many letters have to be added, left out or changed. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

// An address has colons of its own, so that `to=` takes the rest of the fault.
const partsOf = (text: string): ReadonlyArray<string> => {
  const to = text.indexOf(":to=")
  const head = to === -1 ? text : text.slice(0, to)
  return [...head.split(":").map((part) => part.trim()), ...(to === -1 ? [] : [text.slice(to + 1)])]
}

const readPart = (
  part: string,
  fault: Record<string, unknown>,
  where: Record<string, unknown>
): string | undefined => {
  const equals = part.indexOf("=")
  if (equals > 0) {
    const key = part.slice(0, equals)
    const parameter = parameterOf.get(key)
    if (parameter === undefined) return `"${key}" is none of ${parameters.map(([name]) => name).join(", ")}`
    const fields = parameter.read(part.slice(equals + 1))
    if (fields === undefined) return `the value of "${key}" cannot be read`
    Object.assign(parameter.where ? where : fault, fields)
    return undefined
  }
  const count = /^(\d+)x$/.exec(part)
  if (count !== null) {
    fault["count"] = Number(count[1])
    return undefined
  }
  const share = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(part)
  if (share !== null) {
    fault["probability"] = Number(share[1]) / (share[2] === "%" ? 100 : 1)
    return undefined
  }
  const range = readRange(part)
  if (range === undefined) {
    return `"${part}" is neither a probability (0.05, 5%), a count (3x), a time (20ms, 20-80ms) nor a key=value`
  }
  Object.assign(fault, range)
  return undefined
}

const millisOf: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

const readTime = (value: string): number | undefined => {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value)
  // Rounded to a thousandth, so that 1.1 seconds are 1100 and not 1100.0000000000002.
  return parts === null
    ? undefined
    : Math.round(Number(parts[1]) * (millisOf[parts[2] ?? ""] ?? 1) * 1e3) / 1e3
}

const readRange = (value: string): { readonly min: number; readonly max?: number } | undefined => {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h)?-(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value)
  const min = parts === null ? readTime(value) : readTime(`${parts[1]}${parts[2] ?? parts[4]}`)
  const max = parts === null ? undefined : readTime(`${parts[3]}${parts[4]}`)
  if (min === undefined) return undefined
  return max === undefined ? { min } : { min, max }
}

const formatTime = (millis: number): string =>
  millis > 0 && millis % 1000 === 0 ? `${millis / 1000}s` : `${millis}ms`

const formatRange = (min: unknown, max: unknown): string =>
  max === undefined ? formatTime(Number(min)) : `${formatTime(Number(min))}-${formatTime(Number(max))}`

// Without an exponent, which the grammar does not have.
const decimal = (value: number): string => {
  const text = String(value)
  return text.includes("e") ? value.toFixed(20).replace(/0+$/, "") : text
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {}

const percent = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`

// The characters with a meaning in the grammar, and blanks, which are trimmed at the ends of a part.
const escape = (value: string): string => value.replace(/[%,:+|=]|\s/g, encodeURIComponent)

const unescape = (value: string): string =>
  value.replace(/(?:%[0-9a-f]{2})+/gi, (codes) => {
    try {
      return decodeURIComponent(codes)
    } catch {
      return codes
    }
  })
