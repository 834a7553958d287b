/**
 * Uploaded variables, and texts with them put in.
 *
 * See https://smsbat.com/help/api/cascade/variables/: `%name=1%` in a text stands for the value of that type and id.
 * Kept for each account and type, the last upload wins; a placeholder without a value is delivered as it stands.
 */

/** The variables of all accounts. */
export interface Items {
  /** Takes `{"variables":[{"id":1,"type":"name","value":"…"}]}`; `false` where it is of another shape. */
  readonly upload: (account: string, body: unknown) => boolean
  readonly render: (account: string, text: string) => string
  readonly clear: () => void
}

/** No variables yet. */
export const make = (): Items => {
  const values = new Map<string, string>()
  return {
    upload: (account, body) => {
      const variables = isRecord(body) ? body["variables"] : undefined
      if (!Array.isArray(variables) || !variables.every(isVariable)) return false
      for (const { id, type, value } of variables) values.set(`${account}\n${type}=${id}`, value)
      return true
    },
    render: (account, text) =>
      values.size === 0 || !text.includes("%")
        ? text
        : text.replace(
            /%((?:name|url|short_url)=\d+)%/g,
            (whole, key: string) => values.get(`${account}\n${key}`) ?? whole
          ),
    clear: () => values.clear()
  }
}

interface Variable {
  readonly id: number
  readonly type: "name" | "url" | "short_url"
  readonly value: string
}

const isVariable = (value: unknown): value is Variable =>
  isRecord(value) &&
  Number.isInteger(value["id"]) &&
  (value["type"] === "name" || value["type"] === "url" || value["type"] === "short_url") &&
  typeof value["value"] === "string"

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
