/**
 * A provider that answers with anything at all: each answer ends in a delivery of the right certainty, in bounded memory
 * and time, over every HTTP client.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Socket } from "node:net"
import * as tls from "node:tls"
import { gzipSync } from "node:zlib"
import * as SmsBatTransport from "../../src/SmsBatTransport.ts"
import * as Transport from "../../src/Transport.ts"
import * as certificate from "../support/certificate.ts"
import { clients } from "../support/clients.ts"
import * as RawServer from "../support/RawServer.ts"
import { envelopes, options } from "../support/smsbat.ts"

interface Answer {
  readonly send: (socket: Socket) => void
  /** What may become of the message: tags of deliveries, or of the reasons of those that are not accepted. */
  readonly ends: ReadonlyArray<string>
}

const raw = (body: string | Buffer, head: ReadonlyArray<string> = [], status = "200 OK") =>
  Buffer.concat([
    Buffer.from(
      [`HTTP/1.1 ${status}`, `content-length: ${Buffer.byteLength(body)}`, ...head, "", ""].join("\r\n")
    ),
    Buffer.from(body)
  ])

const answers = (
  body: string | Buffer,
  ends: ReadonlyArray<string>,
  head?: ReadonlyArray<string>,
  status?: string
): Answer => ({
  send: (socket) => void socket.write(raw(body, head, status)),
  ends
})

const text = (whole: string, ends: ReadonlyArray<string>): Answer => ({
  send: (socket) => void socket.write(whole),
  ends
})

const fine = JSON.stringify([{ trackinId: "a", messageId: "m" }])
const deep = (depth: number, inner = "") => `${"[".repeat(depth)}${inner}${"]".repeat(depth)}`
const unreadable = ["UnreadableReply"]
const lost = ["ConnectionLost"]
/** What differs from client to client, and is never a certainty that the message was not sent. */
const unknown = ["UnreadableReply", "ConnectionLost", "TimedOut", "UnexpectedStatus"]

/** Writes pieces until the other side has had enough, no faster than it reads. */
const endlessly =
  (head: string, piece: Buffer | string, count?: (bytes: number) => void) => (socket: Socket) => {
    socket.write(head)
    const more = () => {
      while (!socket.destroyed) {
        count?.(Buffer.byteLength(piece))
        if (!socket.write(piece)) return void socket.once("drain", more)
      }
    }
    more()
  }

/** Writes one byte at a time, for ever. */
const slowly = (head: string, byte: string) => (socket: Socket) => {
  socket.write(head)
  // oxlint-disable-next-line no-restricted-globals -- the other side of a raw socket, on no clock of the program
  const timer = setInterval(() => socket.write(byte), 100)
  socket.once("close", () => clearInterval(timer))
}

const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, 0x20))

const table: Readonly<Record<string, Answer>> = {
  "100,000 nested arrays": answers(deep(100_000), unreadable),
  "an id inside 100,000 nested arrays": answers(
    deep(100_000, '{"trackinId":"a","messageId":"m"}'),
    unreadable
  ),
  "a deep messageId": answers(`[{"trackinId":"a","messageId":${deep(100_000)}}]`, unreadable),
  "a deep refusal": answers(`{"error":${deep(100_000)}}`, ["Rejected"], [], "400 Bad Request"),
  "a body cut in the middle of a word": answers('[{"trackinId":"a","messageId":"', unreadable),
  NaN: answers('[{"trackinId":"a","messageId":NaN}]', unreadable),
  "a number beyond all numbers": answers('[{"trackinId":"a","messageId":1e999}]', unreadable),
  "keys of the prototype": answers(
    '[{"__proto__":{"trackinId":"a","messageId":"m"},"constructor":{"prototype":{"messageId":"m"}}}]',
    unreadable
  ),
  "a messageId of the prototype": answers('[{"trackinId":"a","__proto__":{"messageId":"m"}}]', unreadable),
  "the same key twice": answers('[{"trackinId":"b","trackinId":"a","messageId":1,"messageId":"m"}]', [
    "Accepted"
  ]),
  "bytes that are no UTF-8": answers(
    Buffer.from('[{"trackinId":"a","messageId":"\xff\xfe"}]', "latin1"),
    unreadable
  ),
  "a byte order mark": answers(`\ufeff${fine}`, ["Accepted", ...unreadable]),
  "UTF-16": answers(Buffer.from(fine, "utf16le"), unreadable),
  "line breaks and escapes in the messageId": answers(
    JSON.stringify([{ trackinId: "a", messageId: "m\r\n2026 INFO forged\u001b[2J\u202e" }]),
    unreadable
  ),
  "another content type": answers(fine, ["Accepted"], ["content-type: text/html; charset=utf-16"]),
  "line breaks in the words of a refusal": answers(
    JSON.stringify({ error: { code: "X\r\nforged", field: "\u001b[31m", message: "x" } }),
    ["Rejected"],
    [],
    "400 Bad Request"
  ),
  "a compressed bomb": answers(bomb, unreadable, ["content-encoding: gzip"]),
  "a compression that is none": answers("not gzip", unknown, ["content-encoding: gzip"]),
  "a compression that nobody knows": answers(
    fine,
    ["Accepted", ...unknown],
    ["content-encoding: x, gzip, br, x"]
  ),
  "headers without an end": {
    send: endlessly("HTTP/1.1 200 OK\r\n", `x-more: ${"a".repeat(1000)}\r\n`),
    ends: lost
  },
  "one header without an end": {
    send: endlessly("HTTP/1.1 200 OK\r\nx-more: ", "a".repeat(1000)),
    ends: lost
  },
  "a status line without an end": text(`HTTP/1.1 200 ${"O".repeat(1_000_000)}`, [...lost, "TimedOut"]),
  "one byte at a time": {
    send: slowly("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", " "),
    ends: ["TimedOut"]
  },
  "headers one byte at a time": { send: slowly("HTTP/1.1 200 OK\r\nx-slow: ", "a"), ends: ["TimedOut"] },
  "nothing at all": { send: () => undefined, ends: ["TimedOut"] },
  "100 Continue again and again": {
    send: endlessly("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ends: unknown
  },
  "100 Continue, then an answer": text(`HTTP/1.1 100 Continue\r\n\r\n${raw(fine).toString()}`, [
    "Accepted",
    ...unknown
  ]),
  "103, then an answer": text(`HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n${raw(fine).toString()}`, [
    "Accepted",
    ...unknown
  ]),
  "another protocol": text(
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    unknown
  ),
  "two lengths": text(
    `HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: ${fine.length}\r\n\r\n${fine}`,
    unknown
  ),
  "a negative length": text(`HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n${fine}`, unknown),
  "a length and chunks": text(
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    unknown
  ),
  "a chunk as large as the world": text(
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\nx",
    unknown
  ),
  "a status of four digits": text("HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n", unknown),
  "no HTTP": text("220 mail.example.com ESMTP\r\n", unknown),
  "line breaks in a header": answers(fine, ["Accepted", ...unknown], ["retry-after: 1\n2", "x-y: \u001b[2J"]),
  "a patience of a thousand years": answers(
    "",
    ["Throttled"],
    ["retry-after: 99999999999999999999"],
    "429 Too Many"
  )
}

const timeout = "1500 millis"

const outcomeOver = (url: string, client: (typeof clients)[keyof typeof clients]) =>
  Effect.gen(function* () {
    const transport = yield* SmsBatTransport.make(options(url, { timeout, maxReplyBytes: 1024 * 1024 }))
    const [delivery] = yield* Transport.deliver(transport, yield* envelopes(["a"]))
    return delivery?._tag === "Accepted" ? "Accepted" : (delivery?.reason._tag ?? "none")
  }).pipe(Effect.provide(client))

for (const [name, client] of Object.entries(clients)) {
  describe(`over ${name}, a provider that answers with`, () => {
    for (const [what, { ends, send }] of Object.entries(table)) {
      it.live(`${what}: ${ends.join(" or ")}`, () =>
        Effect.gen(function* () {
          const server = yield* RawServer.make({ onRequest: (_, socket) => send(socket) })
          assert.include(ends, yield* outcomeOver(server.url, client))
        })
      )
    }

    it.live("100 MB is cut off where it is too much", () =>
      Effect.gen(function* () {
        let written = 0
        const send = endlessly(
          `HTTP/1.1 200 OK\r\ncontent-length: ${100 * 1024 * 1024}\r\n\r\n`,
          Buffer.alloc(64 * 1024, 0x20),
          (bytes) => {
            written += bytes
          }
        )
        const server = yield* RawServer.make({ onRequest: (_, socket) => send(socket) })
        assert.strictEqual(yield* outcomeOver(server.url, client), "UnreadableReply")
        // 1 MiB is read; the rest is what the sockets of both sides hold.
        assert.isBelow(written, 50 * 1024 * 1024)
      })
    )

    it.live("a certificate that it signed itself: Unreachable", () =>
      Effect.gen(function* () {
        const port = yield* tlsServer
        assert.strictEqual(yield* outcomeOver(`https://localhost:${port}`, client), "Unreachable")
      })
    )

    it.live("plain HTTP where TLS is expected: Unreachable", () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make({
          onConnection: (socket) => {
            socket.once("data", () => socket.end(raw(fine)))
            return "ignore"
          }
        })
        assert.strictEqual(yield* outcomeOver(`https://localhost:${server.port}`, client), "Unreachable")
      })
    )
  })
}

const tlsServer = Effect.acquireRelease(
  Effect.callback<tls.Server>((resume) => {
    const server = tls.createServer({ key: certificate.key, cert: certificate.cert }, (socket) => {
      socket.on("error", () => undefined)
      socket.end(raw(fine))
    })
    server.on("tlsClientError", () => undefined)
    server.listen(0, "localhost", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
).pipe(
  Effect.map((server) => {
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  })
)

describe("an answer of any kind", () => {
  it("leaves the prototypes of everything alone", () => {
    assert.isUndefined(Reflect.get({}, "messageId"))
    assert.isUndefined(Reflect.get({}, "trackinId"))
  })
})
