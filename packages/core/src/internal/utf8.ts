/**
 * Text as UTF-8, through effect's own encoder, so that no global of one platform is needed here.
 */
import * as HttpBody from "effect/http/HttpBody"

/** The bytes of a text. */
export const encode = (text: string): Uint8Array => HttpBody.text(text).body

/** How many bytes a text takes. */
export const byteLength = (text: string): number => HttpBody.text(text).contentLength
