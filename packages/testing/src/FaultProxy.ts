/**
 * A TCP proxy on the loopback interface that makes a good network bad: slow, cut off, half-open, refusing.
 *
 * Put it between a program and its database or its provider, and let the connection fail at the moment that a test
 * chooses: in the middle of a transaction, after the request and before the reply. It passes bytes on without reading
 * them, so that TLS goes through it too, with the target's certificate.
 *
 * What it promises: each direction of a connection is a stream of its own; nothing is lost, added or put in another
 * order while a connection is open; the end of a stream and a reset pass on as what they are; chance is the seed's;
 * time is that of the `Clock`, which a `TestClock` may be; when the scope closes nothing is left open. A target that
 * cannot be reached looks like a reset, since the connection to the proxy had been made by then.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { FaultProxy } from "@effect-cascade/testing"
 *
 * const program = Effect.gen(function* () {
 *   const proxy = yield* FaultProxy.make({ target: "postgres://app@127.0.0.1:5432/orders" })
 *   const url = proxy.url("postgres://app@127.0.0.1:5432/orders")
 *   // … a client on `url` …
 *   yield* proxy.awaitConnections(1)
 *   yield* proxy.setToxics("latency:20ms:jitter=5ms:both")
 *   yield* proxy.cut
 * })
 * ```
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Socket } from "node:net"
import * as signals from "./internal/emulator/signals.ts"
import * as address from "./internal/proxy/address.ts"
import * as connection from "./internal/proxy/connection.ts"
import * as listener from "./internal/proxy/listener.ts"
import type { Surroundings } from "./internal/proxy/pipe.ts"
import * as rules from "./internal/proxy/rules.ts"
import * as traffic from "./internal/proxy/traffic.ts"
import * as Toxic from "./Toxic.ts"

export type { Address } from "./internal/proxy/address.ts"
export type { Bytes, Traffic } from "./internal/proxy/traffic.ts"

/** How a proxy is made. */
export interface FaultProxyOptions {
  /** Where connections lead: a host and a port, or a URL that has them. */
  readonly target: address.Address | string | Redacted.Redacted
  /** Decides everything that is left to chance. The same seed and order of connections give the same run. Defaults to 1. */
  readonly seed?: number | undefined
  /** The port on 127.0.0.1; 0 takes any free one. Defaults to 0. */
  readonly port?: number | undefined
  /** The toxics to begin with. Defaults to none. */
  readonly toxics?: Toxic.PlanInput | undefined
}

const defaults = { seed: 1, port: 0 } as const

/** The target is a text that is no URL, or a URL without a host or a port. It is not shown: it may hold a password. */
export class InvalidTarget extends Schema.TaggedError<InvalidTarget>(
  "@effect-cascade/testing/FaultProxy/InvalidTarget"
)("InvalidTarget", {}) {
  override get message(): string {
    return "the target is no URL with a host and a port"
  }
}

/** The port could not be listened on: at the start, or again after `down`. */
export class ListenError extends Schema.TaggedError<ListenError>(
  "@effect-cascade/testing/FaultProxy/ListenError"
)("ListenError", {
  port: Schema.Number,
  /** The system's code, such as `EADDRINUSE`. */
  code: Schema.String
}) {
  override get message(): string {
    return `cannot listen on ${listener.host}:${this.port} (${this.code})`
  }
}

/** One direction or both. */
export type Directions = Toxic.Direction | "both"

/** A running proxy. */
export interface FaultProxyShape {
  /** `127.0.0.1`. */
  readonly host: string
  readonly port: number
  /**
   * A URL of the target, through the proxy: with the proxy's host and port, and all the rest as it was (`postgres`,
   * `http` or any other that names its host).
   */
  readonly url: { (url: string): string; (url: Redacted.Redacted): Redacted.Redacted }
  /**
   * Replaces the toxics, for open connections too; `setToxics("")` takes all away. What was held up is judged anew
   * by them. What they remember (bytes of a limit, dice) starts again.
   */
  readonly setToxics: (toxics: Toxic.PlanInput) => Effect.Effect<void, Toxic.InvalidToxics | ListenError>
  /** The toxics that are set. */
  readonly toxics: Effect.Effect<ReadonlyArray<Toxic.Toxic>>
  /** Resets every open connection on both sides (a TCP RST), and gives their number. New ones can be made. */
  readonly cut: Effect.Effect<number>
  /**
   * Makes every connection half-open, as a pulled cable does: nothing passes, neither bytes nor the end of a stream,
   * and nobody is told. New connections are accepted and get no further. Defaults to `"both"`.
   */
  readonly stall: (direction?: Directions) => Effect.Effect<void>
  /** Ends a stall. What was held up passes on. Defaults to `"both"`. */
  readonly resume: (direction?: Directions) => Effect.Effect<void>
  /** How many connections are open, on both sides or on one. */
  readonly connections: Effect.Effect<number>
  /** Succeeds when at least so many connections are open; with 0, when none is. */
  readonly awaitConnections: (count: number) => Effect.Effect<void>
  /** How many bytes came and passed since the start. */
  readonly traffic: Effect.Effect<traffic.Traffic>
  /** Succeeds with the first counts of bytes of which `holds` is true, now or later. */
  readonly awaitTraffic: (holds: (traffic: traffic.Traffic) => boolean) => Effect.Effect<traffic.Traffic>
}

/** The proxy of a test or a program. */
export class FaultProxy extends Context.Service<FaultProxy, FaultProxyShape>()(
  "@effect-cascade/testing/FaultProxy"
) {}

/** Starts a proxy that runs until the scope is closed. */
export const make = Effect.fnUntraced(function* (
  options: FaultProxyOptions
): Effect.fn.Return<FaultProxyShape, InvalidTarget | Toxic.InvalidToxics | ListenError, Scope.Scope> {
  const target = yield* targetOf(options.target)
  const initial = yield* Toxic.plan(options.toxics ?? [])
  const seed = options.seed ?? defaults.seed
  const clock = yield* Clock.Clock
  const fork = yield* FiberSet.makeRuntime<never, void>()

  const changes = signals.make()
  const counts = traffic.make()
  const open = new Set<connection.Connection>()
  const stalled = new Set<Toxic.Direction>()
  let toxics: ReadonlyArray<Toxic.Toxic> = initial.filter(({ _tag }) => _tag !== "Down")
  let toxicsVersion = 0
  let version = 0
  let accepted = 0

  const changed = () => {
    version++
    changes.changed()
  }

  const surroundingsOf = (direction: Toxic.Direction, seed: string): Surroundings => {
    let made = toxicsVersion
    let current = rules.make(toxics, direction, seed)
    return {
      changes,
      now: () => clock.currentTimeMillisUnsafe(),
      isStalled: (direction) => stalled.has(direction),
      version: () => version,
      rules: () => {
        if (made !== toxicsVersion) current = rules.make(toxics, direction, seed)
        made = toxicsVersion
        return current
      },
      onReceived: (direction, bytes) => counts.count(direction, "received", bytes),
      onPassed: (direction, bytes) => counts.count(direction, "passed", bytes)
    }
  }

  const accept = (socket: Socket) => {
    const own = `${seed}/${++accepted}`
    const made = connection.make(
      socket,
      target,
      (direction) => surroundingsOf(direction, own),
      () => {
        open.delete(made)
        fiber.interruptUnsafe()
        changes.changed()
      }
    )
    open.add(made)
    const fiber = fork(
      Effect.tapCause(made.run, (cause) => Effect.logError("a connection of the proxy failed", cause))
    )
    changes.changed()
  }

  const listen = (port: number) =>
    Effect.mapError(
      listener.open(port, accept),
      ({ code }) => new ListenError({ port, code: code ?? "unknown" })
    )

  const cut = Effect.suspend(() => {
    const connections = [...open]
    for (const { reset } of connections) reset()
    return Effect.as(
      changes.until(() => !connections.some((one) => open.has(one)) || undefined),
      connections.length
    )
  })

  let listening: listener.Listener | undefined
  let finished = false
  const oneAtATime = (yield* Semaphore.make(1)).withPermit
  const stopListening = Effect.suspend(() => {
    const closing = listening
    listening = undefined
    return closing === undefined ? Effect.void : listener.close(closing)
  })
  const finish = Effect.suspend(() => {
    finished = true
    return Effect.andThen(stopListening, cut)
  })
  // Before there is anything to close, so that an interruption at any time leaves nothing.
  yield* Effect.addFinalizer(() => oneAtATime(finish))
  const { port } = yield* Effect.uninterruptible(
    Effect.tap(listen(options.port ?? defaults.port), (opened) =>
      Effect.sync(() => {
        listening = opened
      })
    )
  )

  const apply = (plan: ReadonlyArray<Toxic.Toxic>) =>
    Effect.gen(function* () {
      // Its port would be opened for ever.
      if (finished) return
      if (plan.some(({ _tag }) => _tag === "Down")) yield* Effect.andThen(stopListening, cut)
      else listening ??= yield* listen(port)
      toxics = plan
      toxicsVersion++
      changed()
    }).pipe(Effect.uninterruptible, oneAtATime)
  yield* apply(initial)

  return {
    host: listener.host,
    port,
    url: through({ host: listener.host, port }),
    setToxics: Effect.fn("FaultProxy.setToxics")((input) => Effect.flatMap(Toxic.plan(input), apply)),
    toxics: Effect.sync(() => toxics),
    cut,
    stall: (direction) =>
      Effect.sync(() => {
        for (const one of directionsOf(direction)) stalled.add(one)
        changed()
      }),
    resume: (direction) =>
      Effect.sync(() => {
        for (const one of directionsOf(direction)) stalled.delete(one)
        changed()
      }),
    connections: Effect.sync(() => open.size),
    awaitConnections: (count) =>
      Effect.asVoid(changes.until(() => (count === 0 ? open.size === 0 : open.size >= count) || undefined)),
    traffic: Effect.sync(counts.read),
    awaitTraffic: (holds) =>
      changes.until(() => {
        const now = counts.read()
        return holds(now) ? now : undefined
      })
  }
})

/** Starts a proxy for as long as the layer is in use. */
export const layer = (
  options: FaultProxyOptions
): Layer.Layer<FaultProxy, InvalidTarget | Toxic.InvalidToxics | ListenError> =>
  Layer.effect(FaultProxy, make(options))

const targetOf = (target: FaultProxyOptions["target"]): Effect.Effect<address.Address, InvalidTarget> =>
  Effect.suspend(() => {
    const found = address.read(target)
    return found === undefined ? Effect.fail(new InvalidTarget()) : Effect.succeed(found)
  })

const directionsOf = (direction: Directions = "both"): ReadonlyArray<Toxic.Direction> =>
  direction === "both" ? ["upstream", "downstream"] : [direction]

function through(proxy: address.Address): FaultProxyShape["url"] {
  function url(url: string): string
  function url(url: Redacted.Redacted): Redacted.Redacted
  function url(url: string | Redacted.Redacted): string | Redacted.Redacted {
    return address.map(url, (text) => address.replaceIn(text, proxy))
  }
  return url
}
