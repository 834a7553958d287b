/**
 * Certificates that are wrong: of another host, or of an authority that nobody trusts.
 * The handshake fails, so that no byte of a key or a message has left: `Unreachable`, `NotSent`.
 *
 * Processes of Node trust further authorities only where they are told at their start; so a process
 * of its own sends. The certificates are made by the `openssl` of the machine, and without it there is nothing to test.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile, execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as tls from "node:tls"
import { fileURLToPath } from "node:url"

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "certificates-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** An authority, and what it signs for a host. */
const authority = Effect.map(folder, (path) => {
  const at = (name: string) => join(path, name)
  const openssl = (...args: ReadonlyArray<string>) =>
    execFileSync("openssl", args, { cwd: path, stdio: "pipe" })
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=Test authority"
  )
  return {
    file: at("ca.pem"),
    sign: (host: string) => {
      openssl("req", ...newKey, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf")
      writeFileSync(at("leaf.ext"), `subjectAltName=DNS:${host}\n`)
      const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "leaf.ext"]
      openssl("x509", "-req", "-in", "leaf.csr", ...by, "-days", "2", "-out", "leaf.pem")
      return { key: readFileSync(at("leaf.key")), cert: readFileSync(at("leaf.pem")) }
    }
  }
})

/** A server that accepts whatever it is sent, and counts what it could read. */
const serve = (pair: { readonly key: Buffer; readonly cert: Buffer }) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: tls.Server; readonly port: number; readonly read: () => number }>(
      (resume) => {
        let read = 0
        const body = JSON.stringify([{ trackinId: "a", messageId: "m" }])
        const server = tls.createServer(pair, (socket) => {
          socket.on("error", () => undefined)
          socket.on("data", (bytes) => {
            read += bytes.length
            socket.end(
              `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`
            )
          })
        })
        server.on("tlsClientError", () => undefined)
        server.listen(0, "localhost", () => {
          const address = server.address()
          resume(
            Effect.succeed({
              server,
              port: typeof address === "object" && address !== null ? address.port : 0,
              read: () => read
            })
          )
        })
      }
    ),
    ({ server }) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

const sender = fileURLToPath(new URL("../support/sendOnce.ts", import.meta.url))

/** What becomes of a message in a process that trusts this authority. */
const outcomes = (port: number, trusted: string) =>
  Effect.callback<unknown>((resume) => {
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: trusted, NODE_OPTIONS: "" }
    execFile(process.execPath, [sender, `https://localhost:${port}`], { env }, (error, stdout, stderr) =>
      resume(error === null ? Effect.succeed(JSON.parse(stdout)) : Effect.die(new Error(stderr)))
    )
  })

const everyClient = (outcome: string) => ({ fetch: outcome, undici: outcome, "node:http": outcome })

describe.skipIf(!hasOpenssl)("a server whose certificate", () => {
  const cases = [
    ["is good: Accepted", "localhost", true, "Accepted"],
    ["is signed by who is trusted, for another host: Unreachable", "elsewhere.example", true, "Unreachable"],
    ["is signed by who is not trusted: Unreachable", "localhost", false, "Unreachable"]
  ] as const
  for (const [name, host, isTrusted, expected] of cases) {
    it.live(name, () =>
      Effect.gen(function* () {
        const ca = yield* authority
        const { port, read } = yield* serve(ca.sign(host))
        assert.deepStrictEqual(yield* outcomes(port, isTrusted ? ca.file : ""), everyClient(expected))
        assert.strictEqual(read() > 0, expected === "Accepted")
      })
    )
  }
})
