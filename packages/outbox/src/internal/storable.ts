/**
 * What Postgres can hold as text: anything but NUL and half of a surrogate pair, which has no UTF-8 form. It refuses a
 * statement with the one, and the driver silently writes another character for the other.
 */

// oxlint-disable-next-line no-control-regex -- the very character that is meant
const unstorable = /[\u0000\p{Surrogate}]/u
const everyUnstorable = new RegExp(unstorable, "gu")

/** The text with U+FFFD for what cannot be stored. For what must not keep a statement from being carried out. */
export const storable = (text: string): string => String(text).replace(everyUnstorable, "\ufffd")

/** Whether any of these can be in the database at all. */
export const canBeThere = (...texts: ReadonlyArray<string | undefined>): boolean =>
  !texts.some((text) => text !== undefined && unstorable.test(text))
