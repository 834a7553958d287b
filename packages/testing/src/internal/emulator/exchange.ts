/**
 * One request and what is done to its connection: an answer whole, cut or in drops; a reset; silence.
 *
 * The one place that touches the response and the raw socket.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http"
import type { Book, OpenRecord } from "./book.ts"
import type { Reply } from "./reply.ts"

/** How a reply goes on the wire, other than at once. */
export interface Manner {
  readonly truncated: boolean
  readonly slow: { readonly bytes: number; readonly pause: number } | undefined
}

/** Does something after so many milliseconds of the emulator's clock. */
export type After = (millis: number, action: () => void) => void

/** A request under way. */
export class Exchange {
  readonly request: IncomingMessage
  readonly record: OpenRecord
  readonly #response: ServerResponse
  readonly #book: Book
  readonly #onSettled: (exchange: Exchange) => void
  #open = true
  #settled = false

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    record: OpenRecord,
    book: Book,
    hooks: {
      readonly onSettled: (exchange: Exchange) => void
      readonly onClosed: (exchange: Exchange) => void
    }
  ) {
    this.request = request
    this.record = record
    this.#response = response
    this.#book = book
    this.#onSettled = hooks.onSettled
    response.once("close", () => {
      if (this.#open) this.#closed()
      hooks.onClosed(this)
    })
  }

  /** Answers. Does nothing if the client has gone away. */
  answer(reply: Reply, manner?: Manner, after?: After): void {
    if (!this.#open || this.#settled) return
    const truncated = manner?.truncated === true
    this.record.status = reply.status
    this.record.confirmed = truncated ? 0 : (reply.confirmed ?? 0)
    this.#settle(truncated ? "truncated" : "answered")
    if (manner === undefined || (!truncated && manner.slow === undefined)) {
      this.#response.writeHead(reply.status, headersOf(reply, Buffer.byteLength(reply.body)))
      this.#response.end(reply.body)
      return
    }
    const body = Buffer.from(reply.body)
    const sent = truncated ? body.subarray(0, Math.floor(body.length / 2)) : body
    // One byte at least is promised and never sent, so that an empty body is cut short too.
    this.#response.writeHead(
      reply.status,
      headersOf(reply, truncated ? Math.max(body.length, 1) : body.length)
    )
    this.#response.flushHeaders()
    const finish = () => {
      if (truncated) this.request.socket.end()
      else this.#response.end()
    }
    if (manner.slow === undefined || after === undefined) this.#response.write(sent, finish)
    else this.#drip(sent, manner.slow, after, finish)
  }

  /** Resets the connection: the client gets a TCP RST. */
  reset(): void {
    if (!this.#open) return
    this.#settle("reset")
    this.request.socket.resetAndDestroy()
  }

  /** Never answers. The connection stays open until the client or the emulator closes it. */
  hang(): void {
    if (this.#open) this.#settle("hung")
  }

  /** Forgets the request without a trace, and closes its connection unless the answer has gone out. */
  abandon(): void {
    const answered = this.record.outcome === "answered"
    this.#open = false
    this.#settled = true
    if (!answered) this.request.socket.destroy()
  }

  #drip(
    body: Buffer,
    slow: { readonly bytes: number; readonly pause: number },
    after: After,
    done: () => void
  ) {
    const step = (offset: number): void => {
      if (!this.#open) return
      if (offset >= body.length) return done()
      this.#response.write(body.subarray(offset, offset + slow.bytes))
      after(slow.pause, () => step(offset + slow.bytes))
    }
    step(0)
  }

  #settle(outcome: OpenRecord["outcome"]): void {
    this.record.outcome = outcome
    if (this.#settled) return
    this.#settled = true
    this.#book.settle(this.record)
    this.#onSettled(this)
  }

  #closed(): void {
    this.#open = false
    const { outcome } = this.record
    if (this.#response.writableFinished || (outcome !== "pending" && outcome !== "answered")) return
    if (this.#settled) this.#book.unconfirm(this.record)
    this.#settle("gone")
  }
}

const headersOf = (reply: Reply, length: number): OutgoingHttpHeaders => ({
  ...(reply.type === undefined ? {} : { "content-type": reply.type }),
  ...reply.headers,
  "content-length": length
})
