/**
 * Whether a client's error means that no connection was made, so that no byte of the request can have left.
 *
 * Only errors that cannot arise later than that are listed: the same word for a connection that broke in mid-request
 * (`read ECONNRESET`, a damaged TLS record) would report a message as not sent that somebody may have received.
 */
/** What a client's error turned out to be, with the system's code where it has one. */
export type ClientFailure =
  | { readonly kind: "unconnected"; readonly code?: string }
  | { readonly kind: "late" }
  | { readonly kind: "lost"; readonly code?: string }

/** Looks through the causes of an error, from the outside in, for the first that says what happened. */
export const classify = (error: unknown): ClientFailure => look(error, 0)

const look = (error: unknown, depth: number): ClientFailure => {
  if (typeof error !== "object" || error === null || depth > 10) return { kind: "lost" }
  const errors = property(error, "errors")
  if (Array.isArray(errors) && errors.length > 0) return lookAtAll(errors, depth)
  const rawCode = property(error, "code")
  const code = typeof rawCode === "string" && /^[A-Z][A-Z0-9_/]{1,63}$/u.test(rawCode) ? rawCode : undefined
  const named = code === undefined ? {} : { code }
  if (isUnconnected(code, property(error, "syscall"), property(error, "message"))) {
    return { kind: "unconnected", ...named }
  }
  if (code !== undefined && late.has(code)) return { kind: "late" }
  if (code !== undefined) return { kind: "lost", code }
  return look(property(error, "cause"), depth + 1)
}

/** One error for each address of a host. Only when every one of them failed to connect was there no connection. */
const lookAtAll = (errors: ReadonlyArray<unknown>, depth: number): ClientFailure => {
  const failures = errors.map((error): ClientFailure =>
    // Addresses do not nest; an error that does may be endless.
    Array.isArray(property(Object(error), "errors")) ? { kind: "lost" } : look(error, depth + 1)
  )
  return failures.find(({ kind }) => kind !== "unconnected") ?? failures[0] ?? { kind: "lost" }
}

const isUnconnected = (code: string | undefined, syscall: unknown, message: unknown): boolean => {
  if (syscall === "connect" || (typeof syscall === "string" && syscall.startsWith("getaddrinfo"))) return true
  if (typeof message === "string" && (duringHandshake.test(message) || handshake.test(reasonIn(message)))) {
    return true
  }
  if (code === undefined) return false
  // These also end a connection that was made; then they name another system call.
  if (syscall === undefined && whenConnecting.has(code)) return true
  return always.has(code) || certificate.test(code) || handshake.test(code)
}

/** OpenSSL's reason as a code. Where a write ran into the failure, the code says `EPROTO` and only the words tell. */
const reasonIn = (message: string): string => {
  const words = /:SSL routines:[^:]*:([^:]+)/u.exec(message)?.[1] ?? ""
  return `ERR_SSL_${words.toUpperCase().replaceAll(" ", "_")}`
}

const always = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_PRX_TLS",
  "ERR_SOCKET_CONNECTION_TIMEOUT"
])

const whenConnecting = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"])

// Certificates are judged before anything is sent.
const certificate =
  /^(?:CERT_|CRL_|ERROR_IN_C|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$|ERR_TLS_CERT_|ERR_TLS_HANDSHAKE_TIMEOUT$|ERR_TLS_INVALID_|ERR_TLS_PROTOCOL_)/u

// OpenSSL's reasons that belong to the handshake. Others (a damaged record, an unexpected message) also come later.
const handshake =
  /^ERR_SSL_.*(?:HANDSHAKE_FAILURE|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE|CERT|UNKNOWN_CA|ACCESS_DENIED|CIPHER_MATCH|NO_CIPHERS|SHARED_CIPHER|INSUFFICIENT_SECURITY|INAPPROPRIATE_FALLBACK|UNRECOGNIZED_NAME|NO_APPLICATION_PROTOCOL|KEY_TOO_SMALL|LEGACY_RENEGOTIATION)/u

// Node's words for a connection that ended within the handshake, and OpenSSL's for a first record that is not TLS
// (an http server behind an https address): the function named is that of records before a version is agreed.
const duringHandshake =
  /^Client network socket disconnected before secure TLS connection was established|:tls_validate_record_header:wrong version number:/u

const late = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"])

const property = (value: object, key: string): unknown => (key in value ? Reflect.get(value, key) : undefined)
