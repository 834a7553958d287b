/**
 * The provider's side of every figure: accepts all it gets and answers as the provider does, counts it, and writes
 * down when each message came where that is asked for. It checks nothing.
 */
import { createServer } from "node:http"
import { serve } from "./remote.ts"
import { now } from "./time.ts"

/** What came since the last reset. */
export interface SinkCount {
  readonly messages: number
  readonly distinct: number
  readonly requests: number
}

let messages = 0
let requests = 0
let receipts = 0
let ids = new Set<string>()
/** When each tracking id that begins with the watched text came first. */
let arrivals = new Map<string, number>()
let watched: string | undefined

const accept = (body: string): string => {
  const at = now()
  requests++
  const items = JSON.parse(body) as ReadonlyArray<{ readonly id: string }>
  const answers = items.map(({ id }) => {
    messages++
    ids.add(id)
    if (watched !== undefined && id.startsWith(watched) && !arrivals.has(id)) arrivals.set(id, at)
    return { messageId: `00000000-0000-4000-8000-${String(++receipts).padStart(12, "0")}`, trackinId: id }
  })
  return JSON.stringify(answers)
}

const server = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const answer = accept(Buffer.concat(chunks).toString("utf8"))
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(answer)
    })
    response.end(answer)
  })
})
server.keepAliveTimeout = 60_000

const methods = {
  /** Starts to listen; answers with the base URL. */
  listen: () =>
    new Promise<string>((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resolve(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`)
      })
    }),
  /** Forgets what came. From now on it keeps the arrival of ids that begin with `watch`. */
  reset: (watch?: string) => {
    messages = 0
    requests = 0
    ids = new Set()
    arrivals = new Map()
    watched = watch
  },
  count: (): SinkCount => ({ messages, distinct: ids.size, requests }),
  arrivals: () => arrivals
}

/** What can be asked of the sink. */
export type Sink = typeof methods

serve(methods)
