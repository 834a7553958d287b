/**
 * Where a URL leads, and the same URL leading elsewhere.
 */
import * as Redacted from "effect/Redacted"

/** A host and a port. */
export interface Address {
  /** A name or an IP address; one of version 6 without its brackets. */
  readonly host: string
  readonly port: number
}

const usualPorts: Readonly<Record<string, number>> = {
  "postgres:": 5432,
  "postgresql:": 5432,
  "http:": 80,
  "https:": 443
}

/** The address in a URL, or `undefined` where it has none. */
export const ofUrl = (url: string): Address | undefined => {
  if (!URL.canParse(url)) return undefined
  const { hostname, port, protocol } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, "")
  const known = port === "" ? usualPorts[protocol] : Number(port)
  return host === "" || known === undefined ? undefined : { host, port: known }
}

/** The address that a target is or names, or `undefined` where it is none. */
export const read = (target: Address | string | Redacted.Redacted): Address | undefined => {
  if (typeof target === "string" || Redacted.isRedacted(target)) return ofUrl(textOf(target))
  if (typeof target !== "object" || target === null) return undefined
  const { host, port } = target
  const usable =
    typeof host === "string" && host !== "" && Number.isInteger(port) && port >= 1 && port <= 65_535
  return usable ? target : undefined
}

/** The same URL with another host and port. A text that is no URL is returned as it is. */
export const replaceIn = (url: string, { host, port }: Address): string => {
  if (!URL.canParse(url)) return url
  const parsed = new URL(url)
  parsed.hostname = host
  parsed.port = String(port)
  return parsed.href
}

/** Applies a function to a URL, redacted or not. */
export const map = (
  url: string | Redacted.Redacted,
  f: (url: string) => string
): string | Redacted.Redacted =>
  typeof url === "string" ? f(url) : Redacted.make(f(Redacted.value(url)), { label: url.label })

/** The text of a URL, redacted or not. */
export const textOf = (url: string | Redacted.Redacted): string =>
  typeof url === "string" ? url : Redacted.value(url)
