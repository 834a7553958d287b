/**
 * Reads what the answer to a look-up and a delivery webhook have in common.
 *
 * The id and the status have to be there. All else is left out where it cannot be read: a delivery is not doubted for
 * the spelling of its price.
 *
 * See https://smsbat.com/help/api/smsbat/status/.
 */
import type * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import * as DeliveryStatus from "../../DeliveryStatus.ts"
import * as fields from "./fields.ts"
import { isObject, own } from "../unknown.ts"
import { InvalidWebhook, problem } from "./invalidWebhook.ts"

/** Where a report comes from. */
export interface Origin {
  readonly source: DeliveryStatus.StatusReport["source"]
  readonly confirmed: boolean
  /** When it was said. Defaults to the instant that the JSON names, if it does. */
  readonly reportedAt?: DateTime.Utc | undefined
}

/** The report that JSON makes, or what it lacks. */
export const read = (
  json: unknown,
  origin: Origin
): Result.Result<DeliveryStatus.StatusReport, InvalidWebhook> => {
  if (!isObject(json)) {
    return Result.fail(new InvalidWebhook({ problems: [problem("", "a JSON object", json)] }))
  }
  const messageId = fields.identifier(own(json, "messageId"))
  const said = own(json, "deliverystatus")
  const isSaid = typeof said === "string" && said.trim() !== ""
  if (messageId === undefined || !isSaid) {
    const problems = [
      ...(messageId === undefined
        ? [problem("messageId", fields.identifierRule, own(json, "messageId"))]
        : []),
      ...(isSaid ? [] : [problem("deliverystatus", "a word such as delivered", said)])
    ]
    return Result.fail(new InvalidWebhook({ problems }))
  }
  return Result.succeed(make(json, messageId, said, origin))
}

const make = (json: object, messageId: string, said: string, origin: Origin) => {
  const status = DeliveryStatus.fromWord(said)
  const word = status === "unrecognised" ? fields.word(said.trim()) : undefined
  const cost = fields.amount(own(json, "cost"))
  const partscount = fields.count(own(json, "partscount"))
  const extendedStatuses = fields.words(own(json, "extendedStatuses"))
  const reportedAt = origin.reportedAt ?? fields.instant(own(json, "timestamp"))
  return new DeliveryStatus.StatusReport(
    {
      messageId,
      status,
      source: origin.source,
      confirmed: origin.confirmed,
      ...(word === undefined ? {} : { word }),
      ...(cost === undefined ? {} : { cost }),
      ...(partscount === undefined ? {} : { partscount }),
      ...(extendedStatuses === undefined ? {} : { extendedStatuses }),
      ...(reportedAt === undefined ? {} : { reportedAt })
    },
    // Every field has just been read by its rule.
    { disableChecks: true }
  )
}
