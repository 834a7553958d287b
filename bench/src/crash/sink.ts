/**
 * The provider of the kill script: accepts all that it gets after a short time, keeps a ledger, and holds the answer
 * to one worker back where it is told to.
 */
import { createServer } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { now } from "../support/time.ts"

export interface Sink {
  readonly url: string
  /** When a job was accepted: once for each copy. */
  readonly received: (id: string) => ReadonlyArray<number>
  /** Answers the next request of a worker with nothing; done when it was accepted. */
  readonly hold: (worker: string) => Promise<void>
  /** Holds nothing back any more. */
  readonly release: () => void
  readonly close: () => Promise<void>
}

/** How long a request takes. */
const latency = 20

export const openSink = async (): Promise<Sink> => {
  const ledger = new Map<string, Array<number>>()
  let held: { readonly worker: string; readonly accepted: () => void } | undefined
  let receipts = 0

  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("error", () => {})
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      void (async () => {
        await sleep(latency)
        const items = JSON.parse(Buffer.concat(chunks).toString("utf8")) as ReadonlyArray<{ id: string }>
        for (const { id } of items) {
          const times = ledger.get(id)
          if (times === undefined) ledger.set(id, [now()])
          else times.push(now())
        }
        if (held?.worker === request.headers["x-worker"]) return held?.accepted()
        response.writeHead(200, { "content-type": "application/json" })
        response.end(
          JSON.stringify(items.map(({ id }) => ({ messageId: `receipt-${++receipts}`, trackinId: id })))
        )
      })()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  const address = server.address()

  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    received: (id) => ledger.get(id) ?? [],
    hold: (worker) =>
      new Promise((accepted) => {
        held = { worker, accepted }
      }),
    release: () => {
      held = undefined
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      })
  }
}
