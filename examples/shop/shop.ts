/**
 * The shop: each order and the message that tells of it are written in one transaction.
 */
import { Message, TrackingId } from "@effect-cascade/core"
import { Outbox } from "@effect-cascade/outbox"
import { Data, DateTime, Duration, Effect, Random } from "effect"
import { SqlClient } from "effect/sql"
import { Database } from "./places.ts"

/** The order was not to be: the transaction rolls back. */
class OutOfStock extends Data.TaggedError("OutOfStock")<{ readonly order: number }> {}

export const trackingId = (order: number) => TrackingId.of("order", order)

/** The text that the provider refuses, whatever else is in the batch. */
export const poison = "POISON"

export const createTables = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { schema } = yield* Database
  yield* sql`CREATE TABLE ${sql(`${schema}.shop_order`)} (id integer PRIMARY KEY, phone text NOT NULL)`
})

/** Places one order; answers whether it was committed. One in ten is out of stock, which is noticed last. */
export const placeOrder = Effect.fn("placeOrder")(function* (order: number, toPhone: string) {
  const sql = yield* SqlClient.SqlClient
  const outbox = yield* Outbox.Outbox
  const { schema } = yield* Database
  const { message, options } = yield* confirmation(order, toPhone)
  const outOfStock = (yield* Random.next) < 0.1 && order !== poisonOrder

  return yield* outbox
    .transaction(
      Effect.gen(function* () {
        yield* sql`INSERT INTO ${sql(`${schema}.shop_order`)} ${sql.insert({ id: order, phone: toPhone })}`
        yield* outbox.enqueue(message, options)
        if (outOfStock) return yield* new OutOfStock({ order })
        return true
      })
    )
    .pipe(Effect.catchTag("OutOfStock", () => Effect.succeed(false)))
})

/** One of all four kinds of message, on both routes, some for later, some worth sending for a short time only. */
const confirmation = Effect.fnUntraced(function* (order: number, toPhone: string) {
  const now = yield* DateTime.now
  const common = {
    id: trackingId(order),
    fromName: "Shop",
    toPhone,
    ...(order % 2 === 0 ? { ttl: Duration.hours(1) } : {}),
    ...(order % 10 === 4 ? { scheduledSent: DateTime.add(now, { seconds: 1 }) } : {})
  }
  const text = `Your order ${order} is confirmed`
  const options: Outbox.EnqueueOptions = { route: order % 3 === 0 ? "tg-viber" : "standard" }

  if (order === poisonOrder) {
    const message = yield* Message.make({ ...common, _tag: "Transaction", text: `${text} ${poison}` })
    return { message, options }
  }
  // A call worth making within two seconds, on a line that opens in four: it must never be made.
  if (order % 100 === 7) {
    const message = yield* Message.make({ ...common, _tag: "FlashCall", ttl: "2 seconds" })
    return { message, options: { ...options, availableAt: DateTime.add(now, { seconds: 4 }) } }
  }
  switch (order % 8) {
    case 0:
      return { message: yield* Message.make({ ...common, _tag: "FlashCall" }), options }
    case 1:
    case 2:
      return {
        message: yield* Message.make({ ...common, _tag: "Promo", text: "20 % off this week" }),
        options
      }
    case 3:
      return {
        message: yield* Message.make({
          ...common,
          _tag: "ViberSurvey",
          text: "How was your order?",
          surveyOptions: ["Good", "So so", "Bad"]
        }),
        options
      }
    default:
      return { message: yield* Message.make({ ...common, _tag: "Transaction", text }), options }
  }
})

const poisonOrder = 42
