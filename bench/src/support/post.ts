/** One POST of many messages to the sink, by hand: what a worker without a transport of its own would write. */
import { Pool } from "undici"
import type { Notice } from "./messages.ts"

export interface Poster {
  /** Sends messages; answers with the provider's id of each, by tracking id. */
  readonly post: (messages: ReadonlyArray<Notice>) => Promise<ReadonlyMap<string, string>>
  readonly close: () => Promise<void>
}

export const makePoster = (url: string, connections = 64): Poster => {
  const pool = new Pool(url, { connections })
  return {
    post: async (messages) => {
      const { body, statusCode } = await pool.request({
        path: "/api/CascadeMessage/send_message/async",
        method: "POST",
        headers: { "content-type": "application/json", "x-authorization-key": "bench" },
        body: JSON.stringify(messages)
      })
      if (statusCode !== 200) throw new Error(`the sink answered ${statusCode}`)
      const receipts = (await body.json()) as ReadonlyArray<{ messageId: string; trackinId: string }>
      return new Map(receipts.map(({ messageId, trackinId }) => [trackinId, messageId]))
    },
    close: () => pool.close()
  }
}
