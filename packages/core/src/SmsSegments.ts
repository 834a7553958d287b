/**
 * How many SMS parts a text takes, and which of its characters make it dearer.
 *
 * Use it before sending, to estimate the cost of a message that may end as an SMS, and in the tests of a
 * text. It is an estimate of the SMS hop alone: Telegram, Viber and RCS do not count parts. The numbers are
 * those of https://smsbat.com/help/api/smsbat/sms/ (Character Encoding, Message Length), the alphabet is
 * GSM 03.38.
 *
 * Pure functions: the same text always gives the same answer, nothing is sent or stored.
 */
import * as gsm7 from "./internal/gsm7.ts"

/** `GSM-7` counts septets, `UCS-2` counts 16-bit units. A text is wholly in the one or in the other. */
export type Encoding = "GSM-7" | "UCS-2"

/** A character that GSM-7 does not have, and so puts the whole text into UCS-2. */
export interface ForcedBy {
  /** The character: one code point, or half a surrogate pair where its other half is missing. */
  readonly character: string
  /** Where it stands in the text, in UTF-16 units from 0. */
  readonly index: number
  /** Its Unicode code point: 8217 for `’`. */
  readonly codePoint: number
  /** What {@link transliterate} writes in its place; an empty string leaves it out. Absent if nothing fits. */
  readonly suggestion?: string
}

/** What a text takes as SMS. */
export interface SmsSegments {
  readonly encoding: Encoding
  /**
   * What the text holds: septets in GSM-7 (2 for each of `^ { } \ [ ~ ] | €` and the form feed), 16-bit
   * units in UCS-2.
   */
  readonly units: number
  /** What each part of this text has room for: 160 or 70 when one part holds it all, otherwise 153 or 67. */
  readonly perSegment: number
  /** The number of parts; 0 for an empty text. */
  readonly segments: number
  /** The units still free in the last part; in an empty text, those of a first one. */
  readonly remaining: number
  /**
   * The characters that force UCS-2, each occurrence for itself, in the order of the text, the first
   * {@link maxForcedBy} of them. Empty in GSM-7. It quotes the text: log it where you would log the text.
   */
  readonly forcedBy: ReadonlyArray<ForcedBy>
  /** How many characters force UCS-2, those beyond the first {@link maxForcedBy} too. */
  readonly forcedByTotal: number
}

/** How many characters `forcedBy` lists at most. */
export const maxForcedBy = 20

/**
 * Counts the parts of a text.
 *
 * A text of GSM-7 characters alone takes one part up to 160 septets, otherwise parts of 153; any other text
 * one part up to 70 units, otherwise parts of 67. Neither the two septets of an extension character nor the
 * two halves of a surrogate pair are parted, so a part may end one unit early.
 *
 * @example
 * ```ts
 * import { SmsSegments } from "@effect-cascade/core"
 *
 * const { encoding, segments, forcedBy } = SmsSegments.count("Don’t miss it")
 * // encoding: "UCS-2", segments: 1
 * // forcedBy: [{ character: "’", index: 3, codePoint: 8217, suggestion: "'" }]
 * ```
 */
export const count = (text: string): SmsSegments => {
  const forcedBy: Array<ForcedBy> = []
  let forcedByTotal = 0
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (gsm7.septets(unit) > 0) continue
    forcedByTotal++
    const codePoint = text.codePointAt(index) ?? unit
    if (forcedBy.length < maxForcedBy) forcedBy.push(describe(index, codePoint))
    // The low half of a pair is no character of its own.
    if (codePoint > 0xffff) index++
  }
  const sizes = forcedByTotal === 0 ? packGsm7(text) : packUcs2(text)
  return { ...sizes, forcedBy, forcedByTotal }
}

/**
 * Writes common typographic characters in GSM-7: curly quotes and apostrophes, dashes, the ellipsis, no-break
 * and other spaces, invisible characters. Letters are never touched.
 *
 * It makes a text cheaper where such characters are all that forces UCS-2. In a Cyrillic text, which stays in
 * UCS-2, it saves nothing, and `…` grows to three units: compare {@link count} before and after.
 *
 * @example
 * ```ts
 * import { SmsSegments } from "@effect-cascade/core"
 *
 * SmsSegments.transliterate("“Don’t” – wait…") // "\"Don't\" - wait..."
 * ```
 */
export const transliterate = (text: string): string => {
  let written = ""
  let from = 0
  for (let index = 0; index < text.length; index++) {
    const replacement = gsm7.replacement(text.charCodeAt(index))
    if (replacement === undefined) continue
    written += text.slice(from, index) + replacement
    from = index + 1
  }
  return from === 0 ? text : written + text.slice(from)
}

const describe = (index: number, codePoint: number): ForcedBy => {
  const suggestion = gsm7.replacement(codePoint)
  const found = { character: String.fromCodePoint(codePoint), index, codePoint }
  return suggestion === undefined ? found : { ...found, suggestion }
}

type Sizes = Omit<SmsSegments, "forcedBy" | "forcedByTotal">

const packGsm7 = (text: string): Sizes => {
  let units = 0
  let segments = 1
  let used = 0
  for (let index = 0; index < text.length; index++) {
    const width = gsm7.septets(text.charCodeAt(index))
    units += width
    used += width
    if (used > 153) {
      segments++
      used = width
    }
  }
  return units <= 160
    ? inOne("GSM-7", units, 160)
    : { encoding: "GSM-7", units, perSegment: 153, segments, remaining: 153 - used }
}

const packUcs2 = (text: string): Sizes => {
  const units = text.length
  if (units <= 70) return inOne("UCS-2", units, 70)
  let segments = 1
  let start = 0
  while (units - start > 67) {
    // A pair whose halves would fall into two parts goes into the later one as a whole.
    start += (text.codePointAt(start + 66) ?? 0) > 0xffff ? 66 : 67
    segments++
  }
  return { encoding: "UCS-2", units, perSegment: 67, segments, remaining: 67 - (units - start) }
}

const inOne = (encoding: Encoding, units: number, perSegment: number): Sizes => ({
  encoding,
  units,
  perSegment,
  segments: units === 0 ? 0 : 1,
  remaining: perSegment - units
})
