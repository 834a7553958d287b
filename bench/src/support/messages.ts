/** The messages that every system under test is given: order confirmations, each with a text of its own. */

/** What every system stores and the provider's wire carries. */
export interface Notice {
  readonly id: string
  readonly fromName: string
  readonly toPhone: string
  readonly messageType: "transaction"
  readonly text: string
  /** Whole seconds. */
  readonly ttl: number
}

/** Messages by their numbers: `first`, `first + 1`, … */
export interface Range {
  readonly first: number
  readonly count: number
}

export const trackingId = (number: number): string => `order-confirmed:${number}`

/** The message of an order. The same number gives the same message. */
export const notice = (number: number): Notice => ({
  id: trackingId(number),
  fromName: "Shop",
  toPhone: phone(number),
  messageType: "transaction",
  text: `Your order ${number} is confirmed and will be delivered tomorrow between 10:00 and 14:00. Thank you!`,
  ttl: 86_400
})

export const phone = (number: number): string => `+38067${String(number % 10_000_000).padStart(7, "0")}`

export const notices = ({ count, first }: Range): ReadonlyArray<Notice> =>
  Array.from({ length: count }, (_, index) => notice(first + index))

/** A range in parts of at most `size`. */
export const parts = ({ count, first }: Range, size: number): ReadonlyArray<Range> =>
  Array.from({ length: Math.ceil(count / size) }, (_, index) => ({
    first: first + index * size,
    count: Math.min(size, count - index * size)
  }))
