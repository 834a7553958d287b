/**
 * Callers of a webhook that send anything at all, over sockets to a real server: each gets an answer in bounded memory
 * and time, nothing of it is handled, and the next caller is served.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import * as net from "node:net"
import { gzipSync } from "node:zlib"
import * as SmsBatInbound from "../../src/SmsBatInbound.ts"
import * as SmsBatWebhook from "../../src/SmsBatWebhook.ts"
import { inboundPage, page } from "../support/status.ts"

const secret = Redacted.make("0123456789abcdef0123456789")
const paths = {
  status: `/status/${Redacted.value(secret)}`,
  inbound: `/inbound/${Redacted.value(secret)}`
} as const

interface Limits {
  readonly bodyLimit?: number
  readonly bodyTimeout?: "300 millis"
}

/** Both webhooks on a server, and the ids of what was handled. */
const serve = Effect.fnUntraced(function* (limits: Limits = {}) {
  const handled: Array<string> = []
  const routes = Layer.mergeAll(
    SmsBatWebhook.route({
      path: "/status",
      secret,
      confirm: false,
      onReport: ({ messageId }) => Effect.sync(() => void handled.push(messageId)),
      ...limits
    }),
    SmsBatInbound.route({
      path: "/inbound",
      secret,
      onMessage: () => Effect.sync(() => void handled.push("inbound")),
      ...limits
    })
  )
  const context = yield* Layer.build(
    HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" }))
    )
  )
  const url = yield* Effect.provide(
    HttpServer.HttpServer.useSync((server) => HttpServer.formatAddress(server.address)),
    context
  )
  return { port: Number(new URL(url).port), url, handled }
})

type Served = Effect.Success<ReturnType<typeof serve>>

/** The status of the first answer to what is written, or "closed". */
const statusOf = (port: number, write: (socket: net.Socket) => void) =>
  Effect.callback<string>((resume) => {
    const socket = net.connect(port, "127.0.0.1", () => write(socket))
    const end = (status: string) => {
      resume(Effect.succeed(status))
      socket.destroy()
    }
    socket.on("data", (chunk) => end(/^HTTP\/1\.1 (\d{3})/u.exec(chunk.toString("latin1"))?.[1] ?? "none"))
    socket.on("error", () => end("closed"))
    socket.on("close", () => end("closed"))
    return Effect.sync(() => socket.destroy())
  })

const head = (path: string, ...lines: ReadonlyArray<string>) =>
  [`POST ${path} HTTP/1.1`, "host: x", "content-type: application/json", ...lines, "", ""].join("\r\n")

/** Writes a piece again and again, no faster than it is read; counts the bytes. */
const endlessly = (first: string, piece: Buffer | string) => {
  const counted = { bytes: 0 }
  const write = (socket: net.Socket) => {
    socket.write(first)
    const more = () => {
      while (!socket.destroyed) {
        counted.bytes += Buffer.byteLength(piece)
        if (!socket.write(piece)) return void socket.once("drain", more)
      }
    }
    more()
  }
  return { counted, write }
}

const whole =
  (path: string, body: string | Buffer, ...lines: ReadonlyArray<string>) =>
  (socket: net.Socket) => {
    socket.write(head(path, `content-length: ${Buffer.byteLength(body)}`, ...lines))
    socket.write(body)
  }

const goesOn = ({ handled, port }: Served) =>
  Effect.gen(function* () {
    assert.deepStrictEqual(handled, [])
    assert.strictEqual(yield* statusOf(port, whole(paths.status, page.webhook)), "200")
    assert.strictEqual(yield* statusOf(port, whole(paths.inbound, inboundPage)), "200")
  })

const deep = (open: string, close: string, depth: number) => `${open.repeat(depth)}${close.repeat(depth)}`
const megabyte = "a".repeat(1024 * 1024)

for (const path of Object.values(paths)) {
  describe(`a caller of ${path.split("/")[1]} that sends`, () => {
    it.live("100 MB, announced or in chunks, is told 413 long before their end", () =>
      Effect.gen(function* () {
        const served = yield* serve()
        const announced = endlessly(
          head(path, `content-length: ${100 * 1024 * 1024}`),
          Buffer.alloc(64 * 1024, 0x20)
        )
        const chunk = `10000\r\n${" ".repeat(0x10000)}\r\n`
        const chunked = endlessly(head(path, "transfer-encoding: chunked"), chunk)
        for (const { counted, write } of [announced, chunked]) {
          assert.strictEqual(yield* statusOf(served.port, write), "413")
          // 64 KiB are read; the rest is what the sockets of both sides hold.
          assert.isBelow(counted.bytes, 50 * 1024 * 1024)
        }
        yield* goesOn(served)
      })
    )

    it.live("a body a byte at a time is told 408", () =>
      Effect.gen(function* () {
        const served = yield* serve({ bodyTimeout: "300 millis" })
        const slowly = (socket: net.Socket) => {
          socket.write(head(path, "content-length: 1000"))
          // oxlint-disable-next-line no-restricted-globals -- the other side of a raw socket, on no clock of the program
          const timer = setInterval(() => socket.write(" "), 20)
          socket.once("close", () => clearInterval(timer))
        }
        assert.strictEqual(yield* statusOf(served.port, slowly), "408")
        assert.deepStrictEqual(served.handled, [])
      })
    )

    it.live("what is compressed is told 415, and nothing is unpacked", () =>
      Effect.gen(function* () {
        const served = yield* serve({ bodyLimit: 1024 * 1024 })
        const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, 0x20))
        for (const encoding of [
          "gzip",
          "deflate",
          "br",
          "zstd",
          "gzip, gzip",
          "x-unknown",
          "identity, gzip"
        ]) {
          assert.strictEqual(
            yield* statusOf(served.port, whole(path, bomb, `content-encoding: ${encoding}`)),
            "415",
            encoding
          )
        }
        // Without saying so it is no JSON.
        assert.strictEqual(yield* statusOf(served.port, whole(path, bomb)), "400")
        yield* goesOn(served)
      })
    )

    it.live("JSON that is large, deep or of another kind is told 400, also where much may be sent", () =>
      Effect.gen(function* () {
        const served = yield* serve({ bodyLimit: 200 * 1024 * 1024 })
        const bodies = {
          "a million reports": `[${Array.from({ length: 1_000_000 }, () => '{"messageId":"a"}').join()}]`,
          "100,000 nested arrays": deep("[", "]", 100_000),
          "100,000 nested objects": `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`,
          "100,000 arrays that never end": "[".repeat(100_000),
          "a deep id": `{"messageId":${deep("[", "]", 100_000)},"idUuid":${deep("[", "]", 100_000)}}`,
          "a megabyte of an id": `{"messageId":"${megabyte}","deliverystatus":"delivered","idUuid":"${megabyte}"}`,
          "100,000 keys": `{${Array.from({ length: 100_000 }, (_, index) => `"k${index}":1`).join()}}`,
          "keys of the prototype": `{"__proto__":${page.webhook},"constructor":{"prototype":${inboundPage}}}`,
          "numbers beyond all numbers": '{"messageId":1e999,"deliverystatus":-1e999,"idUuid":1e999}',
          "a text cut off": page.webhook.slice(0, -1),
          "bytes that are no UTF-8": Buffer.from([0x7b, 0xff, 0xfe, 0x7d])
        }
        for (const [name, body] of Object.entries(bodies)) {
          assert.strictEqual(yield* statusOf(served.port, whole(path, body)), "400", name)
        }
        assert.isUndefined(Reflect.get({}, "messageId"))
        yield* goesOn(served)
      })
    )

    it.live("what is hardly a request is refused by the server", () =>
      Effect.gen(function* () {
        const served = yield* serve()
        const requests = {
          "two lengths": head(path, "content-length: 2", "content-length: 3"),
          "a length and chunks": `${head(path, "content-length: 2", "transfer-encoding: chunked")}0\r\n\r\n`,
          "a negative length": head(path, "content-length: -1"),
          "a length that is none": head(path, "content-length: 1e3"),
          "a chunk as large as the world": `${head(path, "transfer-encoding: chunked")}FFFFFFFFFFFFFFFFFF\r\nx`,
          "a header of a megabyte": head(path, `x-more: ${megabyte}`),
          "a line break in a header": head(path, "x-a: b\nx-c: d\r\u0000e")
        }
        for (const [name, text] of Object.entries(requests)) {
          const status = yield* statusOf(served.port, (socket) => void socket.write(text))
          assert.match(status, /^(?:4\d\d|closed)$/u, name)
        }
        yield* goesOn(served)
      })
    )
  })
}

describe("a report", () => {
  it.live("with the same key twice counts as its last word, whatever else is in it", () =>
    Effect.gen(function* () {
      const { handled, port } = yield* serve({ bodyLimit: 1024 * 1024 })
      const body = `{"messageId":"first","messageId":"last","deliverystatus":"x","deliverystatus":"delivered",
        "cost":1e999,"partscount":-1,"timestamp":{"__proto__":1},"x":${deep("[", "]", 1000)}}`
      assert.strictEqual(yield* statusOf(port, whole(paths.status, body)), "200")
      while (handled.length === 0) yield* Effect.sleep("5 millis")
      assert.deepStrictEqual(handled, ["last"])
    })
  )
})
