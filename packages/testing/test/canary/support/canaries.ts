/**
 * Values that must show nowhere, and a detector that knows them in every disguise in which they might.
 *
 * No two of them share eight characters with each other or with anything that the library says, so that any eight
 * characters in a row give one away. Of the phone number ten digits in a row do, with or without what people write
 * between digits: its masked form shows seven at most.
 */
import { Redacted } from "effect"

/** What each of them is. Keys are usable as header values and as webhook secrets. */
export const canary = {
  apiKey: "Zx81QpLmVt02RbNcYw",
  viberToken: "Hj47KdFsGu93WeXoTi",
  telegramKey: "Bv56NaCzMl18PyQrUk",
  webhookSecret: "Oe29IwJxDg74ShLfEvAz05",
  databasePassword: "Tk38UbHnXj61RwPcMq",
  phone: "+380637419258",
  /** With a one-time code in it, and everything that some encoding writes in its own way. */
  text: 'Ґрзшц код 9Q7ZKX2W\n"жбфщхъ" <Vuntikzwq> \\Plorfgyx/ 🦊юєїґ& 100%wqhzx',
  option: "Жвкл Qzwophymn",
  otherOption: "Хцщч Rjbfuvlke",
  notes: "Wqzyxvutj-77",
  inbound: "Пфгш цьшщ Kzqvwxjy",
  variable: "Йцфя Ldgwzqkp"
} as const

export type Canary = keyof typeof canary

/** Keys as the library takes them. */
export const keys = {
  apiKey: Redacted.make(canary.apiKey),
  viberToken: Redacted.make(canary.viberToken),
  telegramKey: Redacted.make(canary.telegramKey)
}

const width = 8

const windows: ReadonlyMap<string, Canary> = new Map(
  Object.entries(canary).flatMap(([name, value]) => {
    const characters = Array.from(value.toLowerCase())
    return Array.from(
      { length: Math.max(1, characters.length - width + 1) },
      (_, start): [string, Canary] => [
        characters.slice(start, start + width).join(""),
        // Object.entries forgets what the keys are.
        name as Canary
      ]
    )
  })
)

const phoneDigits = canary.phone.slice(1)
const phoneParts = [0, 1, 2].map((start) => phoneDigits.slice(start, start + 10))

/** A place where a canary was seen, with what stands around it. */
export interface Leak {
  readonly canary: Canary
  readonly form: string
  readonly excerpt: string
}

/** Every canary in a text, in whatever form. */
export const leaksIn = (text: string): ReadonlyArray<Leak> => {
  const found: Array<Leak> = []
  for (const [form, variant] of variants(text)) {
    found.push(...look(form, variant))
  }
  return found
}

const look = (form: string, text: string): ReadonlyArray<Leak> => {
  const found: Array<Leak> = []
  const note = (canary: Canary, at: number) => {
    if (!found.some((leak) => leak.canary === canary)) {
      found.push({ canary, form, excerpt: text.slice(Math.max(0, at - 80), at + 60) })
    }
  }
  const lower = text.toLowerCase()
  for (const [window, name] of windows) {
    // The number itself is looked for below, in digits alone.
    if (name === "phone") continue
    const at = lower.indexOf(window)
    if (at >= 0) note(name, at)
  }
  for (const run of text.matchAll(/\d[\d\s().\-/\u00a0]{8,}\d/gu)) {
    const digits = run[0].replace(/\D/gu, "")
    if (phoneParts.some((part) => digits.includes(part))) note("phone", run.index)
  }
  // The subscriber's number alone.
  const local = new RegExp(`(?<!\\d)${phoneDigits.slice(3)}(?!\\d)`, "u").exec(text)
  if (local !== null) note("phone", local.index)
  return found
}

/** The text as it is, and what it comes to when what it was escaped or encoded with is undone. */
const variants = (text: string): ReadonlyArray<readonly [string, string]> => {
  const joined = text.replace(/['"`]\s*\+\s*\n\s*['"`]/gu, "")
  const unescaped = unescape(unescape(joined))
  return [
    ["plain", text],
    ["escaped", unescaped],
    ["in a URL", percentDecoded(unescaped)],
    ...decodedRuns(unescaped)
  ]
}

const unescape = (text: string): string =>
  text
    .replace(/\\u\{([0-9a-f]{1,6})\}/giu, (_, hex: string) => codePoint(hex))
    .replace(/\\u([0-9a-f]{4})/giu, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\x([0-9a-f]{2})/giu, (_, hex: string) => codePoint(hex))
    .replace(/&#x([0-9a-f]{1,6});/giu, (_, hex: string) => codePoint(hex))
    .replace(/&quot;/gu, '"')
    .replace(/\\([nrt])/gu, (_, letter: string) => ({ n: "\n", r: "\r", t: "\t" })[letter] ?? letter)
    .replace(/\\(["'`\\/])/gu, "$1")

const codePoint = (hex: string): string => {
  const point = Number.parseInt(hex, 16)
  return point <= 0x10ffff ? String.fromCodePoint(point) : ""
}

const percentDecoded = (text: string): string =>
  text
    .replace(/\+/gu, " ")
    .replace(/(?:%[0-9a-f]{2})+/giu, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"))

const decodedRuns = (text: string): ReadonlyArray<readonly [string, string]> => {
  const base64: Array<string> = []
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{12,}/gu)) {
    // Wherever in the run what was encoded begins.
    for (const start of [0, 1, 2, 3]) {
      base64.push(
        Buffer.from(run.slice(start).replaceAll("-", "+").replaceAll("_", "/"), "base64").toString()
      )
      base64.push(Buffer.from(`AA${run.slice(start)}`, "base64").toString())
      base64.push(Buffer.from(`A${run.slice(start)}`, "base64").toString())
    }
  }
  const hex: Array<string> = []
  for (const [run] of text.matchAll(/(?:[0-9a-f]{2}[ :]?){6,}/giu)) {
    const digits = run.replace(/[ :]/gu, "")
    for (const start of [0, 1]) hex.push(Buffer.from(digits.slice(start), "hex").toString())
  }
  const bytes: Array<string> = []
  // As `inspect` shows a Uint8Array, and as JSON does.
  for (const [run] of text.matchAll(/(?:\d{1,3},\s*){7,}\d{1,3}/gu)) {
    bytes.push(Buffer.from(run.split(",").map(Number)).toString())
  }
  for (const [run] of text.matchAll(/(?:"\d+":\s*\d{1,3},?\s*){8,}/gu)) {
    bytes.push(Buffer.from(Array.from(run.matchAll(/:\s*(\d+)/gu), ([, byte]) => Number(byte))).toString())
  }
  return [
    ["Base64", base64.join("\n\n")],
    ["hex", hex.join("\n\n")],
    ["bytes", bytes.join("\n\n")]
  ]
}
