/**
 * What is placed while everything goes wrong: transactions that write an order and enqueue its messages, drawn from
 * the seed. The same seed, producer and number give the same transaction, but for the instants in it.
 */
import * as Message from "@effect-cascade/core/Message"
import type { EnqueueOptions } from "@effect-cascade/outbox/Outbox"
import * as DateTime from "effect/DateTime"
import * as Dice from "./dice.ts"

/** The table of the shop, which says in the end what was committed. */
export const table = `
  CREATE TABLE shop_order (
    id text PRIMARY KEY,
    messages integer NOT NULL
  )`

export interface OrderedMessage {
  readonly message: Message.Message
  readonly options: EnqueueOptions
  /** Called off again after the commit, if it is not too late by then. */
  readonly cancelled: boolean
}

/** One transaction. */
export interface Order {
  readonly id: string
  readonly messages: readonly [OrderedMessage, ...ReadonlyArray<OrderedMessage>]
  /** Whether the shop changes its mind after it has written everything. */
  readonly rollsBack: boolean
  /** Whether the same transaction is tried again if its connection is lost, as a careful service does. */
  readonly triesAgain: boolean
}

/** A number that the provider refuses, and with it the whole request that it is in. */
const refused = "+380000000007"

export const draw = (seed: number, producer: number, number: number, now: number): Order => {
  const dice = Dice.make(`${seed}/${producer}/${number}`)
  const id = `${producer}-${number}`
  const count = dice.chance(0.05) ? dice.whole(10, 40) : dice.whole(1, 4)
  const [first, ...rest] = Array.from({ length: count }, (_, index) => drawMessage(dice, id, index, now))
  return {
    id,
    messages: [first ?? drawMessage(dice, id, 0, now), ...rest],
    rollsBack: dice.chance(0.15),
    triesAgain: dice.chance(0.5)
  }
}

const drawMessage = (dice: Dice.Dice, order: string, index: number, now: number): OrderedMessage => {
  const isBad = dice.chance(0.005)
  const notBefore = dice.chance(0.1) ? now + dice.whole(1_000, 12_000) : undefined
  const byOption = dice.chance(0.3)
  // What the audit must know of a message stands in its id: no other table has to be believed.
  const trackingId = [
    `${order}.${index}`,
    ...(isBad ? ["bad"] : []),
    ...(notBefore === undefined ? [] : [`nb${notBefore}`])
  ].join(":")
  const common = {
    id: trackingId,
    fromName: "Shop",
    toPhone: isBad ? refused : `+38067${String(dice.whole(0, 9_999_999)).padStart(7, "0")}`,
    ...ttlOf(dice),
    ...(notBefore === undefined || byOption ? {} : { scheduledSent: DateTime.makeUnsafe(notBefore) })
  }
  const text = `Your order ${order} is confirmed.`
  const message = Message.makeUnsafe(
    dice.pick<Parameters<typeof Message.makeUnsafe>[0]>([
      { ...common, _tag: "Transaction", text },
      { ...common, _tag: "FlashCall" },
      { ...common, _tag: "Promo", text: "Twice the points until Sunday!" },
      {
        ...common,
        _tag: "ViberSurvey",
        text: "How was your delivery?",
        surveyOptions: ["Good", "Bad"]
      }
    ])
  )
  return {
    message,
    options: {
      ...(dice.chance(0.2) ? { uncertainty: dice.pick(["resend", "hold"]) } : {}),
      ...(dice.chance(0.2) ? { route: "tg-viber" } : {}),
      ...(notBefore !== undefined && byOption ? { availableAt: DateTime.makeUnsafe(notBefore) } : {})
    },
    cancelled: notBefore !== undefined && dice.chance(0.2)
  }
}

const ttlOf = (dice: Dice.Dice): { readonly ttl?: `${number} seconds` } => {
  if (dice.chance(0.15)) return { ttl: `${dice.whole(2, 12)} seconds` }
  return dice.chance(0.5) ? { ttl: "3600 seconds" } : {}
}

/** What the audit reads from a tracking id. */
export interface Marks {
  readonly order: string
  readonly isBad: boolean
  /** Milliseconds since the epoch. */
  readonly notBefore: number | undefined
}

export const marksOf = (trackingId: string): Marks => {
  const [place = "", ...marks] = trackingId.split(":")
  const notBefore = marks.find((mark) => mark.startsWith("nb"))
  return {
    order: place.split(".")[0] ?? "",
    isBad: marks.includes("bad"),
    notBefore: notBefore === undefined ? undefined : Number(notBefore.slice(2))
  }
}
