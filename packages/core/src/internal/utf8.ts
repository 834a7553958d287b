/**
 * Text as UTF-8, through effect's own encoder, so that no global of one platform is needed here.
 */
import * as HttpBody from "effect/http/HttpBody"

/** The bytes of a text. */
export const encode = (text: string): Uint8Array => HttpBody.text(text).body

/** How many bytes a text takes: counted, since encoding it for its length alone takes ten times as long. */
export const byteLength = (text: string): number => {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    // A pair of surrogates is two units and four bytes; a lone one is encoded as a mark of three.
    if (unit >= 0xd800 && unit < 0xdc00 && isLow(text.charCodeAt(index + 1))) {
      bytes += 2
      index++
    } else {
      bytes += unit < 0x800 ? 1 : 2
    }
  }
  return bytes
}

const isLow = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000
