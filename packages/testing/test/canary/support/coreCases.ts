import {
  Cascade,
  CascadeEvent,
  CascadeEvents,
  CauseSummary,
  ConsoleTransport,
  Delivery,
  DeliveryStatus,
  Envelope,
  Failover,
  Message,
  Mode,
  PhoneNumber,
  RateLimit,
  RouteTransport,
  SendTelemetry,
  SmsBatInbound,
  SmsBatOutcome,
  SmsBatStatus,
  SmsBatTransport,
  SmsBatVariables,
  SmsBatWebhook,
  SmsBatWire,
  SmsSegments,
  StatusLookup,
  Template,
  Transport
} from "@effect-cascade/core"
import {
  Cause,
  ConfigProvider,
  DateTime,
  Duration,
  Effect,
  Layer,
  Redacted,
  Schema,
  type Scope,
  Stream
} from "effect"
import { HttpClient, HttpClientError, HttpClientRequest, HttpRouter } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { canary, keys } from "./canaries.ts"
import {
  calling,
  CarelessError,
  headers,
  messages,
  on,
  once,
  reasons,
  sealed,
  spoilt,
  transaction,
  transports
} from "./cases.ts"
import { answering, clients, echo } from "./providers.ts"
import { inboundPage, webhookPage, webhooks } from "./webhookCases.ts"

const { phone, text } = canary
const c = (
  operations: string,
  name: string,
  run: Effect.Effect<unknown, unknown, Scope.Scope>,
  unmasked?: string
) => on("core", operations, name, run, unmasked)

const now = DateTime.makeUnsafe("2026-11-23T12:00:00Z")

const options = { keys, timeout: "50 millis" } as const

const smsbat = Object.entries(clients).flatMap(([name, client]) => {
  const provided = Effect.provideService(HttpClient.HttpClient, client)
  return [
    c(
      "SmsBatTransport.make SmsBatTransport.layer Transport.Transport#send Transport.deliver",
      `a provider that ${name}`,
      Effect.gen(function* () {
        const transport = yield* SmsBatTransport.make(options)
        const one = yield* Effect.exit(transport.send(yield* sealed))
        const deliveries = yield* Transport.deliver(transport, yield* sealed)
        const layered = yield* Effect.provide(
          Effect.flatMap(Transport.Transport, (layered) =>
            Effect.flatMap(sealed, (batch) => Effect.exit(layered.send(batch)))
          ),
          SmsBatTransport.layer(options)
        )
        return { transport, one, deliveries, layered }
      }).pipe(provided)
    ),
    c(
      "SmsBatTransport.verify SmsBatTransport.layerConfig SmsBatStatus.layerConfig",
      `a provider that ${name}`,
      Effect.gen(function* () {
        const found = yield* SmsBatTransport.verify(options)
        const configured = Layer.merge(
          SmsBatTransport.layerConfig({ timeout: "50 millis" }),
          SmsBatStatus.layerConfig()
        )
        const context = yield* Layer.build(configured)
        return { found, context }
      }).pipe(
        provided,
        Effect.provide(
          ConfigProvider.layer(
            ConfigProvider.fromEnv({
              env: { SMSBAT_API_KEY: canary.apiKey, SMSBAT_VIBER_TOKEN: canary.viberToken }
            })
          )
        )
      )
    ),
    c(
      "SmsBatStatus.make SmsBatStatus.layer StatusLookup.StatusLookup#lookup StatusLookup.lookup Cascade.status Cascade.Cascade#status",
      `a provider that ${name}`,
      Effect.gen(function* () {
        const statuses = yield* SmsBatStatus.make(options)
        const exits = [
          yield* Effect.exit(statuses.lookup("provider-1")),
          yield* Effect.exit(statuses.lookup(text)),
          yield* Effect.exit(Effect.provide(StatusLookup.lookup("provider-1"), SmsBatStatus.layer(options))),
          yield* Effect.exit(
            Effect.provide(Cascade.status("provider-1"), [
              SmsBatStatus.layer(options),
              Cascade.layer.pipe(Layer.provide(SmsBatTransport.layer(options)))
            ])
          )
        ]
        return { statuses, exits }
      }).pipe(provided)
    ),
    c(
      "SmsBatVariables.uploadVariables",
      `a provider that ${name}`,
      Effect.all([
        Effect.exit(
          SmsBatVariables.uploadVariables(
            [{ id: "1", name: canary.variable, value: canary.text } as never],
            options
          )
        ),
        Effect.exit(SmsBatVariables.uploadVariables(spoilt as never, options))
      ]).pipe(provided)
    )
  ]
})

const clientOver = (transport: Transport.TransportShape) =>
  Layer.provide(Cascade.layer, Layer.succeed(Transport.Transport, transport))

const cascade = Object.entries(transports).map(([name, transport]) =>
  c(
    "SendTelemetry.observe Cascade.send Cascade.sendAll Cascade.sendStream Cascade.Cascade#send Cascade.Cascade#sendAll Cascade.Cascade#sendStream Cascade.layer Cascade.make Transport.deliver",
    `over a transport that ${name}`,
    Effect.gen(function* () {
      const copy = { ...transaction("copy"), text: "", toPhone: phone.slice(1) } as unknown as Message.Message
      const calls = Effect.all([
        Cascade.send(transaction(), once),
        Cascade.sendAll([...messages(), copy, spoilt as never], once),
        Stream.runCollect(
          Cascade.sendStream(Stream.fromIterable(messages()), { ...once, within: "1 millis" })
        )
      ])
      return yield* Effect.timeoutOption(calls, "100 millis")
    }).pipe(Effect.provide(clientOver(transport)))
  )
)

const around = Object.entries(transports).map(([name, transport]) =>
  c(
    "Failover.failover Failover.attempts RouteTransport.route Mode.withMode RateLimit.withRateLimit",
    `around a transport that ${name}`,
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.RateLimiter
      const wrapped: ReadonlyArray<Transport.TransportShape> = [
        yield* Mode.withMode(transport, "live"),
        yield* Mode.withMode(transport, "dryRun"),
        yield* Mode.withMode(transport, { allowlist: [phone] } as never),
        yield* Mode.withMode(transport, text as never),
        Failover.failover([transport, ConsoleTransport.transport]),
        Failover.failover([transport, transport], {
          movesOn: () => {
            throw new CarelessError()
          }
        }),
        RouteTransport.route(() => transport),
        RouteTransport.route(() => undefined),
        RouteTransport.route(() => {
          throw new CarelessError()
        }),
        yield* RateLimit.withRateLimit(transport, { limit: Number.NaN, key: "canary" }),
        yield* RateLimit.withRateLimit(transport, { limit: 1 }).pipe(
          Effect.provideService(RateLimiter.RateLimiter, {
            ...limiter,
            consume: () => Effect.die(new CarelessError())
          })
        )
      ]
      const batch = yield* sealed
      const exits = yield* Effect.forEach(wrapped, (one) =>
        // What another's transport dies of is its own, and goes to whoever called it.
        Transport.deliver(one, batch).pipe(
          Effect.catchDefect((defect) =>
            defect instanceof CarelessError ? Effect.die("careless") : Effect.die(defect)
          ),
          Effect.timeoutOption("30 millis"),
          Effect.exit
        )
      )
      const attempts = exits.flatMap((exit) =>
        exit._tag === "Success" && exit.value._tag === "Some" ? exit.value.value.map(Failover.attempts) : []
      )
      return { exits, attempts, wrapped }
    }).pipe(Effect.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))))
  )
)

/** Runs what may throw, and answers with what it threw. */
const attempt = (call: () => unknown): unknown => {
  try {
    return call()
  } catch (error) {
    return error
  }
}

export const coreCases = [
  c(
    "SendTelemetry.observe",
    "a send that dies",
    Effect.gen(function* () {
      const batch = yield* sealed
      const send = Effect.die(new CarelessError())
      // What it dies of goes on to whoever called it; here, to nobody.
      return yield* Effect.catchCause(
        SendTelemetry.observe(batch, { transport: "canary" }, send),
        () => Effect.void
      )
    })
  ),
  ...[transaction(), ...messages()].map((message) =>
    c(
      "Message.make Message.makeUnsafe Envelope.seal Envelope.at Envelope.unchecked CascadeEvent.about Delivery.accepted",
      `a ${message._tag}`,
      Effect.gen(function* () {
        const envelope = yield* Envelope.seal(message, { headers, account: "canary" })
        const at = Envelope.at(message, now, { headers })
        const about = CascadeEvent.about(envelope, now)
        return {
          message,
          envelope,
          at,
          unchecked: Envelope.unchecked(at),
          about,
          list: [message, [envelope]],
          map: new Map([["it", envelope]]),
          accepted: Delivery.accepted(message.id, "1")
        }
      })
    )
  ),
  c(
    "Message.make Message.decode",
    "every rule broken",
    Effect.all([
      Effect.exit(Message.make(spoilt as never)),
      Effect.exit(Message.decode(spoilt)),
      Effect.exit(Message.decode(text)),
      Effect.exit(Message.decode([phone, text])),
      Effect.exit(Message.decode({ ...spoilt, messageType: phone })),
      Effect.exit(
        Message.make({ ...transaction(), ttl: Number(phone), toPhone: `00${phone.slice(1)}` } as never)
      )
    ])
  ),
  c(
    "Message.decodeResult Message.decode",
    "as results",
    calling(() => [
      Message.decodeResult(spoilt),
      Message.decodeResult(text),
      Message.decodeResult(Message.encode(transaction()))
    ])
  ),
  c(
    "Message.makeUnsafe",
    "which throws",
    calling(() => attempt(() => Message.makeUnsafe(spoilt as never)))
  ),
  c(
    "Envelope.seal",
    "of what is no message",
    Effect.all([
      Effect.exit(Envelope.seal(spoilt as never)),
      Effect.exit(Envelope.seal({ ...transaction(), text: "" } as never)),
      Effect.exit(Envelope.seal(transaction(), { headers: { note: 5 }, account: "", route: text } as never)),
      Effect.exit(
        Envelope.seal(
          Message.makeUnsafe({ ...transaction(), scheduledSent: "2099-01-01T00:00:00Z" } as never)
        )
      )
    ])
  ),
  c(
    "Envelope.deadlineOf Envelope.handedSchedule Envelope.remainingTtl",
    "",
    calling(() => {
      const envelope = Envelope.at(transaction(), now)
      return [
        Envelope.deadlineOf(envelope.message, now),
        Envelope.handedSchedule(envelope, now),
        Envelope.remainingTtl(envelope, now)
      ]
    })
  ),
  c(
    "Message.encode SmsBatWire.encode",
    "",
    calling(() => [Message.encode(transaction()), SmsBatWire.encode(Envelope.at(transaction(), now), now)]),
    "the form that is stored and sent, whole"
  ),
  c(
    "SmsBatWire.decodeReply SmsBatStatus.decodeReply SmsBatOutcome.fromResponse",
    "of hostile words",
    calling(() => {
      const bodies = [
        echo(text),
        text,
        JSON.stringify([{ trackinId: "canary-1", messageId: text }]),
        JSON.stringify({ messageId: phone, deliverystatus: text, word: text })
      ]
      return bodies.flatMap((body) => [
        SmsBatWire.decodeReply(body, [transaction().id]),
        SmsBatStatus.decodeReply(body, "provider-1", now),
        [400, 401, 429, 500, 503].map((status) =>
          SmsBatOutcome.fromResponse(
            { status, body: { _tag: "Text", text: body }, at: now, retryAfter: phone },
            { maxRetryAfter: Duration.minutes(1) }
          )
        )
      ])
    })
  ),
  c(
    "SmsBatOutcome.fromClientError",
    "",
    calling(() => {
      const request = HttpClientRequest.post("https://x").pipe(
        HttpClientRequest.setHeaders({ "x-authorization-key": canary.apiKey })
      )
      return [
        new CarelessError(),
        text,
        { code: phone, message: text, cause: { code: text } },
        new AggregateError([new CarelessError()], text),
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.EncodeError({ request, cause: text })
        }),
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.InvalidUrlError({ request, cause: text })
        })
      ].map(SmsBatOutcome.fromClientError)
    })
  ),
  ...smsbat,
  c(
    "SmsBatTransport.make SmsBatStatus.make SmsBatTransport.verify SmsBatVariables.uploadVariables SmsBatWebhook.route",
    "options that cannot be used",
    Effect.gen(function* () {
      const wrong = [
        { baseUrl: `https://user:${canary.apiKey}@example.com` },
        { baseUrl: `${canary.apiKey}://x` },
        { baseUrl: `https://x/?key=${canary.apiKey}` },
        { keys: { apiKey: Redacted.make(`${canary.apiKey}\r\nx: y`) } },
        { keys: { apiKey: Redacted.make(canary.text) } },
        { keys: { apiKey: canary.apiKey as never } },
        { keys: {} as never },
        { timeout: text as never },
        { maxBatchSize: phone as never }
      ]
      const made = yield* Effect.forEach(wrong, (more) =>
        Effect.all([
          Effect.exit(SmsBatTransport.make({ ...options, ...more })),
          Effect.exit(SmsBatStatus.make({ ...options, ...more })),
          Effect.exit(SmsBatTransport.verify({ ...options, ...more })),
          Effect.exit(SmsBatVariables.uploadVariables([] as never, { ...options, ...more }))
        ])
      )
      const routed = yield* Effect.forEach(["short", canary.text, `${canary.webhookSecret}/`], (secret) =>
        Effect.exit(
          Layer.build(
            SmsBatWebhook.route({
              path: "/hooks",
              secret: Redacted.make(secret),
              confirm: false,
              onReport: () => Effect.void
            }).pipe(Layer.provideMerge(HttpRouter.layer)) as unknown as Layer.Layer<never, unknown>
          )
        )
      )
      return { made, routed }
    }).pipe(
      Effect.provideService(
        HttpClient.HttpClient,
        answering(() => new Response("[]"))
      )
    )
  ),
  ...cascade,
  c(
    "Cascade.layerWith",
    "with options",
    Effect.provide(
      Effect.flatMap(Cascade.Cascade, (client) => client.send(transaction())),
      Layer.provide(Cascade.layerWith({ retry: "none" }), ConsoleTransport.layer)
    )
  ),
  ...around,
  c(
    "ConsoleTransport.layer",
    "every kind",
    Effect.gen(function* () {
      return yield* ConsoleTransport.transport.send(yield* sealed)
    })
  ),
  c(
    "CascadeEvents.make CascadeEvents.layer CascadeEvents.publish CascadeEvents.publishAll CascadeEvents.publisher CascadeEvents.CascadeEvents#publish CascadeEvents.CascadeEvents#publishAll CascadeEvents.CascadeEvents#stream CascadeEvents.CascadeEvents#subscribe CascadeEvents.CascadeEvents#lost DeliveryStatus.track",
    "every event",
    Effect.gen(function* () {
      const events = yield* CascadeEvents.CascadeEvents
      const heard = yield* events.subscribe
      const envelope = Envelope.at(transaction(), now)
      const about = CascadeEvent.about(envelope, now)
      const [reason] = reasons
      if (reason === undefined) return
      yield* CascadeEvents.publish(new CascadeEvent.Enqueued(about))
      yield* CascadeEvents.publishAll([
        new CascadeEvent.Accepted({ ...about, messageId: "1" }),
        new CascadeEvent.RetryScheduled({ ...about, attempt: 1, nextAt: now, reason }),
        new CascadeEvent.Uncertain({ ...about, reason }),
        new CascadeEvent.Dead({ ...about, reason }),
        new CascadeEvent.Expired(about),
        new CascadeEvent.Cancelled(about),
        new CascadeEvent.LanePaused({ lane: "default/high", reason, at: now }),
        new CascadeEvent.LaneResumed({ lane: "default/high", at: now })
      ])
      yield* (yield* CascadeEvents.publisher).publish(new CascadeEvent.Expired(about))
      const report = new DeliveryStatus.StatusReport({
        messageId: "1",
        status: "delivered",
        source: "poll",
        confirmed: true
      })
      yield* DeliveryStatus.track(undefined, report, { toPhone: phone, trackingId: "canary-1" })
      const all = yield* Stream.runCollect(Stream.take(heard, 11))
      const encode = Schema.encodeSync(CascadeEvent.CascadeEventFromJson)
      return { all, encoded: Array.from(all, (event) => encode(event)), lost: yield* events.lost }
    }).pipe(Effect.provide(CascadeEvents.layer()))
  ),
  c(
    "SmsBatWebhook.decode SmsBatWebhook.decodeResult SmsBatInbound.decode SmsBatInbound.decodeResult",
    "",
    Effect.gen(function* () {
      const bodies = [
        webhookPage,
        inboundPage,
        spoilt,
        text,
        [phone],
        { ...inboundPage, idUuid: text, phoneNumber: text },
        { messageId: text, deliverystatus: [phone] }
      ]
      return yield* Effect.forEach(bodies, (body) =>
        Effect.all([
          Effect.exit(SmsBatWebhook.decode(body)),
          Effect.exit(SmsBatInbound.decode(body)),
          Effect.sync(() => [SmsBatWebhook.decodeResult(body), SmsBatInbound.decodeResult(body)])
        ])
      )
    })
  ),
  ...webhooks,
  c(
    "Template.make Template.parse Template.segments",
    "values that are missing or wrong",
    Effect.gen(function* () {
      const made = Template.make("Code {code} for {who}")
      const parsed = yield* Template.parse("Code {code} for {who}", { name: "code" })
      const wrong: ReadonlyArray<unknown> = [
        { code: { secret: text }, who: undefined, more: text },
        { code: Number.NaN, who: () => text },
        { code: Symbol(text), who: [text] },
        text,
        undefined
      ]
      const thrown = wrong.flatMap((values) => [
        attempt(() => made.render(values as never)),
        attempt(() => Template.segments(made, values as never))
      ])
      const failed = yield* Effect.forEach(wrong, (values) => Effect.exit(parsed.renderUnknown(values)))
      return { thrown, failed }
    })
  ),
  c(
    "SmsSegments.count",
    "",
    calling(() => SmsSegments.count(text))
  ),
  c(
    "CauseSummary.of CauseSummary.ofError",
    "of careless errors",
    calling(() => [
      CauseSummary.of(Cause.combine(Cause.die(new CarelessError()), Cause.fail({ _tag: text, text, phone }))),
      CauseSummary.ofError(new CarelessError()),
      CauseSummary.ofError(text),
      CauseSummary.ofError(Object.assign(new CarelessError(), { _tag: text, code: text }))
    ])
  ),
  c(
    "PhoneNumber.mask",
    "",
    calling(() => [
      PhoneNumber.mask(phone),
      PhoneNumber.mask(phone.slice(1)),
      PhoneNumber.mask(`00${phone.slice(1)}`)
    ])
  ),
  c(
    "Delivery.notAccepted",
    "",
    calling(() => reasons.map((reason) => Delivery.notAccepted(transaction().id, reason)))
  )
]

/** Operations that are given nothing personal, or whose answer is what was asked for; and which of the two. */
export const coreExcused: Readonly<Record<string, string>> = {
  "core/Telemetry.observe": "swept with what uses it: SendTelemetry and the relay",
  "core/Telemetry.operation": "names of operations and transports",
  "core/Telemetry.recordDuration": "figures under attributes that hold nothing personal",
  "core/Telemetry.timed": "figures under attributes that hold nothing personal",
  "core/DeliveryStatus.advance": "reports and states hold nothing personal",
  "core/DeliveryStatus.fromWord": "a word of the provider's to a literal",
  "core/DeliveryStatus.isFinal": "a literal",
  "core/DeliveryStatus.join": "literals",
  "core/DeliveryStatus.joinStates": "literals",
  "core/DeliveryStatus.rank": "a literal",
  "core/Message.formatInstant": "an instant",
  "core/PhoneNumber.correct": "answers with the number that it was given, mended, on request",
  "core/SmsBatWire.statusPath": "the provider's id of a message",
  "core/SmsSegments.transliterate": "answers with the text that it was given, in other letters, on request",
  "core/TrackingId.of": "answers with an id made of the caller's own parts, which must be nothing personal",
  "core/TransportReason.isNotSent": "a reason, which holds nothing personal",
  "core/TransportReason.retryAfter": "a reason, which holds nothing personal"
}
