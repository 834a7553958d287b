/**
 * What the service says to the world: orders in, and what became of the message about one.
 */
import { PhoneNumber } from "@effect-cascade/core"
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"

/** An order as a customer gives it. A phone number that is none is a 400 before any of our code runs. */
export const NewOrder = Schema.Struct({ id: Schema.Int, phone: PhoneNumber.PhoneNumber })

export class OrderTaken extends Schema.TaggedError<OrderTaken>()(
  "OrderTaken",
  { id: Schema.Int },
  { httpApiStatus: 409 }
) {}

export class OrderUnknown extends Schema.TaggedError<OrderUnknown>()(
  "OrderUnknown",
  { id: Schema.Int },
  { httpApiStatus: 404 }
) {}

export const Api = HttpApi.make("shop").add(
  HttpApiGroup.make("orders")
    .add(
      HttpApiEndpoint.post("place", "/orders", {
        payload: NewOrder,
        success: Schema.Struct({ id: Schema.Int }),
        error: OrderTaken
      })
    )
    .add(
      HttpApiEndpoint.get("message", "/orders/:id/message", {
        params: { id: Schema.FiniteFromString },
        success: Schema.Struct({ state: Schema.String }),
        error: OrderUnknown
      })
    )
)
