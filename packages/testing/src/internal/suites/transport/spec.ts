/**
 * What the author of a transport tells the laws about it.
 */
import type { Route } from "@effect-cascade/core/Envelope"
import type { Message } from "@effect-cascade/core/Message"
import type { TransportShape } from "@effect-cascade/core/Transport"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A transport under test, and whatever its features need to look behind it. */
export interface TransportSubject<Control> {
  readonly transport: TransportShape
  /** The other side, as far as the test has it in its hand: an emulator, a stub, an array. */
  readonly control: Control
}

/** What goes wrong on the other side, made to go wrong: from the end of the effect until `restored`. */
export type Fault<Control> = (control: Control) => Effect.Effect<unknown, unknown>

/** A request that never gets an answer. */
export interface Hanging {
  /** Succeeds when the other side has got a request since the fault began. */
  readonly underWay: Effect.Effect<unknown, unknown>
  /** Succeeds when the other side has noticed that the request was given up. Defaults to not looking. */
  readonly givenUp?: Effect.Effect<unknown, unknown> | undefined
}

/** The faults that can be made to happen. Each one that is left out leaves out what the laws say of it. */
export interface TransportFaults<Control> {
  /** Every request is refused as too fast: `NotSent`, `Throttled`. */
  readonly throttled?: Fault<Control> | undefined
  /** No connection can be made: `NotSent`, `Unreachable`. */
  readonly unreachable?: Fault<Control> | undefined
  /** The keys are refused: `NotSent`, `Unauthorized`. */
  readonly unauthorized?: Fault<Control> | undefined
  /** Every request is carried out, and the connection is lost before the reply: `Unknown`. */
  readonly lost?: Fault<Control> | undefined
  /** No request is ever answered. */
  readonly hanging?: ((control: Control) => Effect.Effect<Hanging, unknown>) | undefined
  /** Ends the fault: from now on all is well. */
  readonly restored: Fault<Control>
}

/** What a transport can do, and what the laws may look at and make happen. */
export interface TransportFeatures<Control> {
  /**
   * The tracking ids of all messages that the other side has received, once for each time. With it the laws see a lie;
   * without it they only hear one. Defaults to not looking.
   */
  readonly received?: ((control: Control) => Effect.Effect<ReadonlyArray<string>, unknown>) | undefined
  /**
   * What makes a message one that is refused for its own sake, whatever else is in the batch. Defaults to not trying.
   * Good messages are for one of {@link phones}.
   */
  readonly rejects?: { readonly toPhone?: string; readonly text?: string } | undefined
  /** Defaults to none. */
  readonly faults?: TransportFaults<Control> | undefined
  /** Whether a good message is accepted while nothing is wrong. Defaults to `true`. */
  readonly accepts?: boolean | undefined
  /** The types of messages that it can send. Defaults to all. */
  readonly types?: ReadonlyArray<Message["_tag"]> | undefined
  /** The routes that it can send by. Defaults to both. */
  readonly routes?: ReadonlyArray<Route> | undefined
  /** Texts that nobody may see, such as the keys that it was made with. Defaults to none. */
  readonly secrets?: ReadonlyArray<string> | undefined
  /** How long it may take to end when it is interrupted, and to answer after that. Defaults to 10 seconds. */
  readonly patience?: Duration.Input | undefined
  /** The largest batch that is tried, where `maxBatchSize` is more. Defaults to 1,000. */
  readonly largestBatch?: number | undefined
}

/** A transport to be held to the laws. */
export interface TransportSpec<Control, E> {
  /** Makes it. It is made anew for each law, and its scope closed after it. */
  readonly make: Effect.Effect<TransportSubject<Control>, E, Scope.Scope>
  /** Defaults to none: then only what can be heard from outside is judged. */
  readonly features?: TransportFeatures<Control> | undefined
}

/** The phone numbers of good messages. None of them is one that `SmsBatEmulator` gives a fate of its own. */
export const phones = ["+380671112233", "+380501112244", "+380931112255"] as const
