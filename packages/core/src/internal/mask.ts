/**
 * How personal data is shown where it must not be read: in logs, errors, events and `inspect`.
 *
 * One rule for each kind of value, so that a phone number looks the same wherever it is masked.
 */

/**
 * Shows enough of a phone number to recognise it: `+380671112233` becomes `+38067*****33`. At most the first five
 * digits and the last two are shown, and at least four are hidden: a short number shows less.
 */
export const phone = (value: string): string => {
  const head = value.startsWith("+") ? 6 : 5
  const hidden = value.length - head - 2
  if (hidden >= 4) return `${value.slice(0, head)}${"*".repeat(hidden)}${value.slice(-2)}`
  const tail = value.length >= 8 ? 2 : 0
  return "*".repeat(value.length - tail) + value.slice(value.length - tail)
}

/** Shows only how long a text is: `<42 characters>`. */
export const text = (value: string): string => `<${value.length} characters>`

/**
 * Shows an identifier chosen by the caller on one line, with any run of seven digits or more masked,
 * since such a run may be a phone number that somebody built the identifier from.
 */
export const identifier = (value: string): string => {
  // Masked before it is cut to length, so that no cut leaves a few digits too many of a long run.
  const masked = (value.length > 160 ? value.slice(0, 160).replace(/[+\d\s().-]+$/, "...") : value).replace(
    digitRun,
    (run) => {
      const digits = run.replace(/[^+\d]/g, "")
      return digits.length < 7 ? run : phone(digits)
    }
  )
  return printable(masked.length > 80 ? `${masked.slice(0, 77)}...` : masked)
}

// Dates and counters are often joined by hyphens and dots, so those end a run unless it begins as a phone number does.
const digitRun = /\+[\d\s().-]*\d|\d(?:[\s()]*\d)+/g

/** With control characters and text-direction marks escaped as in JSON, so that it stays on one line. */
const printable = (value: string): string => line(JSON.stringify(value).slice(1, -1))

/** A name on one line, read in the order in which it stands: line breaks and text-direction marks are escaped. */
export const line = (value: string): string =>
  value.replace(
    // oxlint-disable-next-line no-control-regex -- these are the characters to be escaped
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
