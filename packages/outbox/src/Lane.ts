/**
 * A lane: one account (transport and credentials) and one priority. Rows of a lane are sent in the order in which
 * they fall due; lanes do not wait for each other, and each can be paused.
 */
import type * as Message from "@effect-cascade/core/Message"
import * as Schema from "effect/Schema"

/** Priorities, the most pressing first. */
export const priorities = ["urgent", "high", "normal", "low"] as const

/** How pressing a message is. */
export const Priority = Schema.Literals(priorities)

/** @see Priority */
export type Priority = typeof Priority.Type

/** The priority of each kind of message unless the caller chooses another. */
export const defaultPriority: Readonly<Record<Message.Message["_tag"], Priority>> = {
  FlashCall: "urgent",
  Transaction: "high",
  ViberSurvey: "normal",
  Promo: "low"
}

/** The name of an account: 1 to 100 characters of `A-Z a-z 0-9 . _ : -`. */
export const Account = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9._:-]{1,100}$/u, { message: "1 to 100 characters of A-Z a-z 0-9 . _ : -" })
)

/** A lane in the form in which it is stored: `default/high`. */
export type Lane = `${string}/${Priority}`

/** The lane of an account and a priority. */
export const of = (account: string, priority: Priority): Lane => `${account}/${priority}`

/** Every lane of an account, the most pressing first. */
export const ofAccount = (account: string): ReadonlyArray<Lane> =>
  priorities.map((priority) => of(account, priority))

/** The account of a lane. */
export const accountOf = (lane: string): string => lane.slice(0, lane.lastIndexOf("/"))

/** The priority of a lane, or `undefined` where it is none that this version knows. */
export const priorityOf = (lane: string): Priority | undefined => {
  const name = lane.slice(lane.lastIndexOf("/") + 1)
  return priorities.find((priority) => priority === name)
}
