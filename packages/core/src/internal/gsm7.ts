/**
 * The GSM 03.38 default alphabet (3GPP TS 23.038, section 6.2.1), and what may stand in for a character
 * that is not in it.
 *
 * Everything here is keyed by UTF-16 code unit: the whole alphabet lies in the Basic Multilingual Plane.
 */

/** The basic table in the order of its codes, without the escape at 0x1B: one septet each. */
export const basic =
  "@£$¥èéùìòÇ\nØø\rÅå\u0394_\u03a6\u0393\u039b\u03a9\u03a0\u03a8\u03a3\u0398\u039eÆæßÉ" +
  " !\"#¤%&'()*+,-./0123456789:;<=>?" +
  "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§" +
  "¿abcdefghijklmnopqrstuvwxyzäöñüà"

/** The extension table in the order of its codes: two septets each, the first one the escape. */
export const extension = "\f^{}\\[~]|€"

/** How many septets a code unit takes: 1 or 2, and 0 where the alphabet does not have it. */
export const septets = (unit: number): number => costs[unit] ?? 0

/**
 * What may stand in for a code unit outside the alphabet without changing what is read; empty where it
 * may simply go. `undefined`: only the writer can tell.
 */
export const replacement = (unit: number): string | undefined => replacements.get(unit)

// An array, because this is asked for every character: the last entry is the euro sign, so 8 kB do.
const makeCosts = (): Uint8Array => {
  const costs = new Uint8Array("€".charCodeAt(0) + 1)
  for (const character of basic) costs[character.charCodeAt(0)] = 1
  for (const character of extension) costs[character.charCodeAt(0)] = 2
  return costs
}

const costs = makeCosts()

// Only punctuation and white space. Letters stay out: `ç` is not `c`, and a name is its owner's. U+200D and
// U+200C stay out too, since they hold emoji and several scripts together.
const makeReplacements = (): ReadonlyMap<number, string> => {
  const groups: ReadonlyArray<readonly [characters: string, replacement: string]> = [
    ["\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`", "'"],
    ["\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'],
    ["\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022", "-"],
    ["\u2026", "..."],
    ["\u00d7", "x"],
    ["\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "],
    ["\u2028\u2029", "\n"],
    ["\u00ad\u200b\u2060\ufeff", ""]
  ]
  return new Map(
    groups.flatMap(([characters, replacement]) =>
      Array.from(characters, (character) => [character.charCodeAt(0), replacement] as const)
    )
  )
}

const replacements = makeReplacements()
