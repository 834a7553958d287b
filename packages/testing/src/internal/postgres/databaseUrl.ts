/**
 * URLs of databases on one server.
 */
import * as Redacted from "effect/Redacted"

/** Whether a text is a URL that Postgres clients take. */
export const isDatabaseUrl = (url: Redacted.Redacted): boolean => {
  const text = Redacted.value(url)
  return URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)
}

/** The URL of another database on the same server, with the same user and parameters. */
export const withDatabase = (url: Redacted.Redacted, name: string): Redacted.Redacted => {
  const parsed = new URL(Redacted.value(url))
  parsed.pathname = `/${encodeURIComponent(name)}`
  return Redacted.make(parsed.href, { label: "postgres" })
}

/** Where a URL points, without the user and the password: `127.0.0.1:5432/postgres`. */
export const describeUrl = (url: Redacted.Redacted): string => {
  const { host, pathname } = new URL(Redacted.value(url))
  return `${host}${pathname}`
}
