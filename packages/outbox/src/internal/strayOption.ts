/**
 * Finds options that programs without types, or with a wider one, have misspelt.
 */

/** The first name that is not known, or `undefined`. Not repeated where it is no name, as it may then be anything. */
export const strayOption = (
  options: object | undefined,
  known: ReadonlyArray<string>
): string | undefined => {
  const stray = Object.keys(options ?? {}).find((name) => !known.includes(name))
  return stray === undefined || /^[A-Za-z_]{1,40}$/u.test(stray) ? stray : "a name that is not one of them"
}
