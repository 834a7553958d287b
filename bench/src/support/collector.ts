/**
 * Gathers what single jobs send at the same time into one request, for systems that hand out one job at a time.
 *
 * A request leaves when it is full, or when nothing was added to it for two turns of the event loop.
 */
import { setImmediate } from "node:timers/promises"

interface Batch<A> {
  readonly items: Array<A>
  readonly sent: Promise<unknown>
}

/** Answers a function that is done when the request that its item went with is answered. */
export const collect = <A>(
  size: number,
  send: (items: ReadonlyArray<A>) => Promise<unknown>
): ((item: A) => Promise<unknown>) => {
  let open: Batch<A> | undefined

  const begin = (): Batch<A> => {
    const items: Array<A> = []
    const leave = async () => {
      for (let length = -1; items.length > length && items.length < size;) {
        length = items.length
        await setImmediate()
        await setImmediate()
      }
      if (open?.items === items) open = undefined
      await send(items)
    }
    return { items, sent: leave() }
  }

  return (item) => {
    const batch = (open ??= begin())
    batch.items.push(item)
    if (batch.items.length >= size) open = undefined
    return batch.sent
  }
}
