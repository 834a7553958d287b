/**
 * How personal data is shown where it must not be read: in logs, errors, events and `inspect`.
 *
 * One rule for each kind of value, so that a phone number looks the same wherever it is masked.
 */

/** Shows enough of a phone number to recognise it: `+380671112233` becomes `+38067*****33`. */
export const phone = (value: string): string => {
  const head = value.startsWith("+") ? 6 : 5
  if (value.length <= head + 2) return "*".repeat(value.length)
  return `${value.slice(0, head)}${"*".repeat(value.length - head - 2)}${value.slice(-2)}`
}

/** Shows only how long a text is: `<42 characters>`. */
export const text = (value: string): string => `<${value.length} characters>`

/**
 * Shows an identifier chosen by the caller on one line, with any run of seven digits or more masked,
 * since such a run may be a phone number that somebody built the identifier from.
 */
export const identifier = (value: string): string => {
  const shown = value.length > 80 ? `${value.slice(0, 77)}...` : value
  return printable(shown.replace(/\d{7,}/g, (digits) => phone(digits)))
}

/** A short quoted form with control characters and text-direction marks escaped, so that it stays on one line. */
const printable = (value: string): string =>
  JSON.stringify(value).replace(
    // oxlint-disable-next-line no-control-regex -- these are the characters to be escaped
    /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
