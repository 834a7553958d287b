import type { Effect, Scope } from "effect"

export declare const makeGateway: Effect.Effect<
  {
    readonly url: string
    readonly receivedIds: Effect.Effect<ReadonlyArray<string>>
    readonly answerWith: (status: number) => Effect.Effect<void>
    readonly resetAfterAccepting: Effect.Effect<void>
    readonly answerNormally: Effect.Effect<void>
  },
  never,
  Scope.Scope
>
