import * as Message from "@effect-cascade/core/Message"

/** A number and a text that must be found nowhere but in the row, on the wire and in the message itself. */
export const canary = { phone: "+380501234567", digits: "501234567", text: "canary-text-7f3a" }

const common = (id: string) => ({ id, fromName: "Shop", toPhone: "+380671112233" })

/** A message that is sent again when in doubt. */
export const transaction = (id: string, more?: Partial<Message.MessageInput>): Message.Transaction =>
  Message.makeUnsafe({ ...common(id), text: `text of ${id}`, ...more, _tag: "Transaction" })

/** A message that is held when in doubt. */
export const promo = (id: string, more?: Partial<Message.MessageInput>): Message.Promo =>
  Message.makeUnsafe({ ...common(id), text: `text of ${id}`, ...more, _tag: "Promo" })

export const flashCall = (id: string, more?: Partial<Message.MessageInput>): Message.FlashCall =>
  Message.makeUnsafe({ ...common(id), ...more, _tag: "FlashCall" })

export const survey = (id: string): Message.ViberSurvey =>
  Message.makeUnsafe({ ...common(id), _tag: "ViberSurvey", text: "Well?", surveyOptions: ["yes", "no"] })

/** `prefix-0`, `prefix-1`, …: ids for many messages at once. */
export const ids = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
