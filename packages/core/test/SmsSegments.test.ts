import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { createRequire } from "node:module"
import { SegmentedMessage } from "sms-segments-calculator"
import * as gsm7 from "../src/internal/gsm7.ts"
import * as SmsSegments from "../src/SmsSegments.ts"

// Two counters of others, as oracles. Neither is asked where it is known to be wrong: see "the oracles".
interface SplitSms {
  readonly split: (text: string) => {
    readonly characterSet: "GSM" | "Unicode"
    readonly parts: ReadonlyArray<unknown>
    readonly bytes: number
    readonly remainingInPart: number
  }
}
// It has no types, hence not an import.
const splitSms: SplitSms = createRequire(import.meta.url)("split-sms")

const bySplitSms = (text: string) => {
  const { characterSet, parts, bytes, remainingInPart } = splitSms.split(text)
  const gsm = characterSet === "GSM"
  return {
    encoding: gsm ? "GSM-7" : "UCS-2",
    segments: parts.length,
    units: gsm ? bytes : bytes / 2,
    remaining: remainingInPart
  }
}

const byCalculator = (text: string) => {
  const message = new SegmentedMessage(text)
  return { encoding: message.encodingName, segments: message.segmentsCount }
}

const assertAsOracles = (text: string) => {
  const { encoding, segments, units, remaining } = SmsSegments.count(text)
  assert.deepStrictEqual({ encoding, segments, units, remaining }, bySplitSms(text))
  assert.deepStrictEqual({ encoding, segments }, byCalculator(text))
}

const assertAsOraclesUnlessEmpty = (text: string) => (text === "" ? undefined : assertAsOracles(text))

// No combining marks, joiners or flags: on those sms-segments-calculator is no oracle.
const gsmCharacters = ["a", "Z", "0", " ", "@", "\n", "\r", "é", "Δ", "ß", "^", "{", "\\", "~", "|", "€"]
const otherCharacters = ["я", "ї", "Ґ", "ç", "’", "…", "\u00a0", "漢", "😀", "🎉", "𝒳"]
const anyCharacters = [...gsmCharacters, ...otherCharacters]

const oneOf = (characters: ReadonlyArray<string>) => Arbitrary.schema(Schema.Literals(characters))
const upTo = (maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum })))

// Runs of one character give long texts out of few choices, and shrink well.
const mixture = (characters: ReadonlyArray<string>) =>
  Arbitrary.array(Arbitrary.all([oneOf(characters), upTo(90)]), { maxLength: 12 }).pipe(
    Arbitrary.map((runs) => runs.map(([character, times]) => character.repeat(times)).join(""))
  )

const anyText = () => mixture(anyCharacters)

// A filler up to within a few units of a boundary, then characters of one and two units, then a filler again.
const nearBoundary = () =>
  Arbitrary.all({
    filler: oneOf(["a", "€", "я", "😀"]),
    boundary: Arbitrary.schema(Schema.Literals([67, 70, 134, 153, 160, 201, 306, 459])),
    short: upTo(4),
    across: Arbitrary.array(oneOf(anyCharacters), { minLength: 1, maxLength: 6 }),
    after: upTo(160)
  }).pipe(
    Arbitrary.map(({ filler, boundary, short, across, after }) => {
      const { units } = SmsSegments.count(filler)
      const before = filler.repeat(Math.floor((boundary - short) / units))
      return before + across.join("") + filler.repeat(Math.floor(after / units))
    })
  )

const sizes = (text: string) => {
  const { encoding, units, perSegment, segments, remaining } = SmsSegments.count(text)
  return [encoding, units, perSegment, segments, remaining]
}

describe("SmsSegments.count", () => {
  describe("sizes", () => {
    const vectors: ReadonlyArray<readonly [name: string, text: string, ...ReadonlyArray<string | number>]> = [
      ["empty", "", "GSM-7", 0, 160, 0, 160],
      ["one character", "a", "GSM-7", 1, 160, 1, 159],
      ["160 septets are one part", "a".repeat(160), "GSM-7", 160, 160, 1, 0],
      ["161 septets are two", "a".repeat(161), "GSM-7", 161, 153, 2, 145],
      ["306 septets fill two", "a".repeat(306), "GSM-7", 306, 153, 2, 0],
      ["307 septets are three", "a".repeat(307), "GSM-7", 307, 153, 3, 152],
      ["an extension character costs two", "€", "GSM-7", 2, 160, 1, 158],
      ["80 extension characters are one part", "€".repeat(80), "GSM-7", 160, 160, 1, 0],
      ["one part may end in an extension character", `${"a".repeat(158)}€`, "GSM-7", 160, 160, 1, 0],
      [
        "an escape is not parted from its character",
        `${"a".repeat(152)}€${"a".repeat(8)}`,
        "GSM-7",
        162,
        153,
        2,
        143
      ],
      // 76 pairs and an idle septet in each part but the last: 153 characters are 76 + 76 + 1.
      ["nor in any part", "[".repeat(153), "GSM-7", 306, 153, 3, 151],
      ["70 units are one part", "я".repeat(70), "UCS-2", 70, 70, 1, 0],
      ["71 units are two", "я".repeat(71), "UCS-2", 71, 67, 2, 63],
      ["134 units fill two", "я".repeat(134), "UCS-2", 134, 67, 2, 0],
      ["135 units are three", "я".repeat(135), "UCS-2", 135, 67, 3, 66],
      ["an extension character costs one in UCS-2", "я€", "UCS-2", 2, 70, 1, 68],
      ["35 emoji are one part", "😀".repeat(35), "UCS-2", 70, 70, 1, 0],
      ["36 emoji are two: 33 and 3", "😀".repeat(36), "UCS-2", 72, 67, 2, 61],
      // 66 units used, one idle, and the pair opens the next part.
      ["a pair is not parted", `${"я".repeat(66)}😀${"я".repeat(66)}`, "UCS-2", 134, 67, 3, 66],
      ["a pair that ends a part stays", `${"я".repeat(65)}😀${"я".repeat(67)}`, "UCS-2", 134, 67, 2, 0],
      ["one foreign character is enough", `${"a".repeat(159)}я`, "UCS-2", 160, 67, 3, 41],
      ["line ends are in the alphabet", "a\r\nb", "GSM-7", 4, 160, 1, 156],
      ["a tab is not", "a\tb", "UCS-2", 3, 70, 1, 67],
      ["nor the escape itself", "\u001b", "UCS-2", 1, 70, 1, 69],
      ["nor a backtick", "`", "UCS-2", 1, 70, 1, 69],
      ["nor ç, though Ç is", "Çç", "UCS-2", 2, 70, 1, 68]
    ]
    for (const [name, text, ...expected] of vectors) {
      it(name, () => assert.deepStrictEqual(sizes(text), expected))
    }
  })

  it("has the alphabet as the provider's page lists it", () => {
    // https://smsbat.com/help/api/smsbat/sms/ (Character Encoding)
    for (const character of "AZaz09@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞ!\"#%&'()*+,-./:;<=>?") {
      assert.deepStrictEqual(sizes(character), ["GSM-7", 1, 160, 1, 159], character)
    }
    for (const character of "|^€{}[]~\\") {
      assert.deepStrictEqual(sizes(character), ["GSM-7", 2, 160, 1, 158], character)
    }
    assert.strictEqual(new Set(gsm7.basic).size, 127)
    assert.strictEqual(new Set(gsm7.extension).size, 10)
  })

  describe("forcedBy", () => {
    it("lists every occurrence, where it stands, and what may stand in for it", () => {
      const { forcedBy, forcedByTotal } = SmsSegments.count("It’s 😀 «я»’")
      assert.deepStrictEqual(forcedBy, [
        { character: "’", index: 2, codePoint: 0x2019, suggestion: "'" },
        { character: "😀", index: 5, codePoint: 0x1f600 },
        { character: "«", index: 8, codePoint: 0xab, suggestion: '"' },
        { character: "я", index: 9, codePoint: 0x44f },
        { character: "»", index: 10, codePoint: 0xbb, suggestion: '"' },
        { character: "’", index: 11, codePoint: 0x2019, suggestion: "'" }
      ])
      assert.strictEqual(forcedByTotal, 6)
    })

    it("suggests nothing for a character that may simply go", () => {
      assert.deepStrictEqual(SmsSegments.count("a\u200bb").forcedBy, [
        { character: "\u200b", index: 1, codePoint: 0x200b, suggestion: "" }
      ])
    })

    it("stops at its limit and goes on counting", () => {
      const { forcedBy, forcedByTotal } = SmsSegments.count("я😀".repeat(50))
      assert.strictEqual(forcedBy.length, SmsSegments.maxForcedBy)
      assert.strictEqual(forcedBy.at(-1)?.index, 28)
      assert.strictEqual(forcedByTotal, 100)
    })

    it("names half a pair as it stands", () => {
      assert.deepStrictEqual(SmsSegments.count("\ude00\ud83da").forcedBy, [
        { character: "\ude00", index: 0, codePoint: 0xde00 },
        { character: "\ud83d", index: 1, codePoint: 0xd83d }
      ])
    })

    it.prop("is empty exactly in GSM-7, and quotes the text where it says", [anyText()], ([text]) => {
      const { encoding, forcedBy, forcedByTotal } = SmsSegments.count(text)
      assert.strictEqual(encoding === "GSM-7", forcedByTotal === 0)
      assert.strictEqual(forcedBy.length, Math.min(forcedByTotal, SmsSegments.maxForcedBy))
      for (const { character, index, codePoint } of forcedBy) {
        assert.isTrue(text.startsWith(character, index))
        assert.strictEqual(text.codePointAt(index), codePoint)
      }
    })
  })

  describe("the oracles", () => {
    it("agree on every single code unit", () => {
      for (let unit = 0; unit <= 0xffff; unit++) {
        const text = String.fromCharCode(unit)
        const { encoding, units } = SmsSegments.count(text)
        assert.strictEqual(encoding, byCalculator(text).encoding, text)
        // split-sms counts a high surrogate for a pair, whatever follows.
        if (unit >= 0xd800 && unit <= 0xdbff) continue
        assert.deepStrictEqual(
          { encoding, units },
          { encoding: bySplitSms(text).encoding, units: bySplitSms(text).units }
        )
      }
    })

    const runs = { arbitrary: { runs: 2000 } }
    it.prop(
      "agree on GSM-7 texts",
      [mixture(gsmCharacters)],
      ([text]) => assertAsOraclesUnlessEmpty(text),
      runs
    )
    it.prop("agree on mixed texts", [anyText()], ([text]) => assertAsOraclesUnlessEmpty(text), runs)
    it.prop("agree around the boundaries", [nearBoundary()], ([text]) => assertAsOracles(text), runs)

    it("are wrong about an empty text, for which nothing is sent: 0 parts, not 1", () => {
      assert.strictEqual(SmsSegments.count("").segments, 0)
      assert.strictEqual(byCalculator("").segments, 1)
      assert.strictEqual(bySplitSms("").segments, 1)
    })

    it("sms-segments-calculator keeps grapheme clusters whole, which no rule of SMS asks for", () => {
      // 66 + 2 + 66 units fill two parts of 67: a letter and its accent are two code points and may be parted.
      const text = `${"я".repeat(66)}е\u0301${"я".repeat(66)}`
      assert.deepStrictEqual(sizes(text), ["UCS-2", 134, 67, 2, 0])
      assert.strictEqual(bySplitSms(text).segments, 2)
      assert.strictEqual(byCalculator(text).segments, 3)
    })

    it("split-sms takes half a pair for a pair", () => {
      const text = `${"я".repeat(69)}\ud83d`
      assert.deepStrictEqual(sizes(text), ["UCS-2", 70, 70, 1, 0])
      assert.strictEqual(byCalculator(text).segments, 1)
      assert.strictEqual(bySplitSms(text).segments, 2)
    })
  })
})

describe("SmsSegments.transliterate", () => {
  it("writes typographic characters in GSM-7", () => {
    assert.strictEqual(
      SmsSegments.transliterate("‘It’s’\u00a0“so” – «far» — wait…\ufeff 2×3"),
      `'It's' "so" - "far" - wait... 2x3`
    )
  })

  it("leaves letters, emoji and what joins them alone", () => {
    const text = "Привіт, François ñ ß 👨‍👩‍👧 ❤️"
    assert.strictEqual(SmsSegments.transliterate(text), text)
  })

  it("makes a text cheaper where nothing else forces UCS-2", () => {
    const text = `Don’t ${"a".repeat(140)}`
    assert.strictEqual(SmsSegments.count(text).segments, 3)
    assert.strictEqual(SmsSegments.count(SmsSegments.transliterate(text)).segments, 1)
  })

  it("applies exactly what count suggests", () => {
    for (let unit = 0; unit <= 0xffff; unit++) {
      const text = String.fromCharCode(unit)
      const [forcedBy] = SmsSegments.count(text).forcedBy
      const written = SmsSegments.transliterate(text)
      assert.strictEqual(written, forcedBy?.suggestion ?? text)
      // A stand-in that were outside the alphabet would save nothing.
      if (written !== text) assert.strictEqual(SmsSegments.count(written).encoding, "GSM-7")
    }
  })

  it.prop("leaves only what has no stand-in, and does so at once", [anyText()], ([text]) => {
    const written = SmsSegments.transliterate(text)
    assert.isTrue(SmsSegments.count(written).forcedBy.every(({ suggestion }) => suggestion === undefined))
    assert.strictEqual(SmsSegments.transliterate(written), written)
  })
})
