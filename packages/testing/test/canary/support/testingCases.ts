import { Cascade, Delivery, SmsBatTransport, type Transport } from "@effect-cascade/core"
import { Outbox } from "@effect-cascade/outbox"
import {
  EmulatorFault,
  EnqueuedMessages,
  FakeCascade,
  FaultProxy,
  MemoryOutboxStore,
  OutboxAssert,
  SmsBatEmulator,
  TestOutbox,
  Toxic
} from "@effect-cascade/testing"
import * as TransportLaws from "@effect-cascade/testing/suites/TransportLaws"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { canary, keys } from "./canaries.ts"
import {
  CarelessError,
  headers,
  messages,
  on,
  once,
  promo,
  sealed,
  spoilt,
  survey,
  transaction
} from "./cases.ts"

const { phone, text } = canary

const c = (
  operations: string,
  name: string,
  run: Effect.Effect<unknown, unknown, Scope.Scope>,
  unmasked?: string
) => on("testing", operations, name, run, unmasked)

/** What an assertion throws, or nothing. */
const thrown = (assertion: () => void): unknown => {
  try {
    assertion()
    return undefined
  } catch (error) {
    return error
  }
}

const emulated = Object.entries({ fetch: FetchHttpClient.layer, undici: NodeHttpClient.layerUndici }).flatMap(
  ([name, client]) =>
    ["", "500", "429:retry-after=1", "reset-after", "truncated", "html", "401", "poison"].map((faults) =>
      c(
        "SmsBatEmulator.make SmsBatEmulator.layer SmsBatEmulator.SmsBatEmulator#ledger SmsBatEmulator.SmsBatEmulator#requests",
        `over ${name}, with the fault "${faults}"`,
        Effect.gen(function* () {
          const emulator = yield* SmsBatEmulator.make({
            log: true,
            accounts: { [canary.apiKey]: "default" },
            control: true
          })
          const planned = yield* Effect.exit(emulator.setFaults(faults))
          const transport = yield* SmsBatTransport.make({ keys, baseUrl: emulator.url, timeout: "2 seconds" })
          const sent = yield* Effect.exit(transport.send(yield* sealed))
          const wrong = yield* Effect.promise(async () => {
            const response = await fetch(`${emulator.url}/api/CascadeMessage/send_message/async`, {
              method: "POST",
              body: JSON.stringify([spoilt, text, { ...spoilt, toPhone: [phone] }]),
              headers: { "content-type": "application/json", "x-authorization-key": canary.apiKey }
            }).catch(() => undefined)
            return response === undefined ? "" : response.text()
          })
          const control = yield* Effect.promise(async () =>
            (await fetch(`${emulator.url}/__emulator/ledger`)).text()
          )
          const all = yield* Effect.exit(emulator.ledger.all)
          const requests = yield* emulator.requests
          return { planned, sent, wrong, control, all, requests }
        }).pipe(Effect.provide(client))
      )
    )
)

const fakes = [
  c(
    "FakeCascade.layer FakeCascade.reject FakeCascade.FakeCascade#sent FakeCascade.FakeCascade#attempts FakeCascade.FakeCascade#assertSent FakeCascade.FakeCascade#assertNotSent FakeCascade.FakeCascade#assertNothingElse",
    "assertions that do not hold",
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      fake.when({ id: "canary-2" }, FakeCascade.reject("INVALID_PHONE", "toPhone"))
      const deliveries = yield* Cascade.sendAll(messages(), once)
      return {
        deliveries,
        sent: fake.sent,
        attempts: fake.attempts,
        fake,
        errors: [
          thrown(() =>
            fake.assertSent({ text: `${text}!`, toPhone: phone, surveyOptions: [canary.option, "x"] })
          ),
          thrown(() => fake.assertSent({ text, toPhone: phone }, 5)),
          thrown(() => fake.assertSent({ toPhone: phone.slice(1) })),
          thrown(() => fake.assertSent({ headers: { note: canary.notes } }, 9)),
          thrown(() => fake.assertNotSent({ text })),
          thrown(() => fake.assertNotSent({ toPhone: phone })),
          thrown(() => fake.assertNothingElse()),
          thrown(() => fake.assertSent({ [text]: phone } as never))
        ].map((error) => (error instanceof Error && error.message.includes("there is no field") ? "" : error))
      }
    }).pipe(Effect.provide(FakeCascade.layer()))
  ),
  c(
    "FakeCascade.layer",
    "strict, with messages of which nothing was said",
    Effect.exit(
      Effect.scoped(Effect.provide(Cascade.sendAll(messages(), once), FakeCascade.layer({ strict: true })))
    )
  ),
  c(
    "TestOutbox.layer TestOutbox.drain TestOutbox.advance TestOutbox.pending TestOutbox.dead TestOutbox.uncertain TestOutbox.allEnqueued TestOutbox.TestOutbox#drain OutboxAssert.assertEnqueued OutboxAssert.refuteEnqueued OutboxAssert.allEnqueued MemoryOutboxStore.layer MemoryOutboxStore.make MemoryOutboxStore.MemoryOutbox#messages EnqueuedMessages.make EnqueuedMessages.EnqueuedMessages#all",
    "assertions that do not hold, and every list",
    Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const fake = yield* FakeCascade.FakeCascade
      fake.when({ id: "canary-1" }, FakeCascade.reject("X"))
      fake.when({ id: "canary-2" }, FakeCascade.unknown)
      yield* outbox.transaction(outbox.enqueueAll(messages(), { headers }))
      const refused = [
        yield* Effect.exit(outbox.transaction(outbox.enqueue(promo("canary-1")))),
        yield* Effect.exit(outbox.enqueue(survey("outside"))),
        yield* Effect.exit(OutboxAssert.assertEnqueued({ text: `${text}!`, toPhone: phone })),
        yield* Effect.exit(
          OutboxAssert.assertEnqueued({ text, surveyOptions: [canary.otherOption] }, { times: 7 })
        ),
        yield* Effect.exit(OutboxAssert.refuteEnqueued({ toPhone: phone })),
        yield* Effect.exit(OutboxAssert.refuteEnqueued({ text }))
      ]
      const before = yield* TestOutbox.pending
      const drained = yield* TestOutbox.drain
      yield* outbox.transaction(outbox.enqueue(transaction("later")))
      const lists = [
        yield* TestOutbox.dead,
        yield* TestOutbox.uncertain,
        yield* TestOutbox.allEnqueued,
        yield* OutboxAssert.allEnqueued()
      ]
      const memory = yield* MemoryOutboxStore.MemoryOutbox
      const all = yield* EnqueuedMessages.EnqueuedMessages
      return { refused, before, drained, lists, kept: yield* memory.messages, all: yield* all.all }
    }).pipe(
      Effect.provide(TestOutbox.layer().pipe(Layer.provideMerge(FakeCascade.layer()))),
      Effect.provide(MemoryOutboxStore.layer)
    )
  )
]

const leaky: Transport.TransportShape = {
  name: "leaky",
  maxBatchSize: 100,
  send: (batch) =>
    Effect.logError(
      `sending ${batch.map(({ message }) => message.toPhone).join()} with ${canary.apiKey}`
    ).pipe(Effect.andThen(Effect.die(new CarelessError())))
}

export const testingCases = [
  ...emulated,
  ...fakes,
  c(
    "EmulatorFault.plan EmulatorFault.script EmulatorFault.planFromJson EmulatorFault.scriptFromJson Toxic.plan",
    "what is no plan",
    Effect.all(
      [
        EmulatorFault.planFromJson(spoilt),
        EmulatorFault.scriptFromJson([spoilt]),
        EmulatorFault.plan("503:0.5"),
        EmulatorFault.script("ok, 503"),
        Toxic.plan("latency:1ms")
      ].map((one) => Effect.exit<unknown, unknown, never>(one))
    )
  ),
  c(
    "FaultProxy.make FaultProxy.layer FaultProxy.FaultProxy#url FaultProxy.FaultProxy#setToxics",
    "a target with a password",
    Effect.gen(function* () {
      const url = Redacted.make(`postgres://app:${canary.databasePassword}@127.0.0.1:1/app`)
      const proxy = yield* FaultProxy.make({ target: url })
      const wrong = yield* Effect.exit(
        FaultProxy.make({ target: Redacted.make(`${canary.databasePassword}@nowhere`) })
      )
      const layered = yield* Effect.exit(Layer.build(FaultProxy.layer({ target: canary.databasePassword })))
      return { through: proxy.url(url), proxy, wrong, layered }
    })
  ),
  c(
    "suites/TransportLaws.broken",
    "the report about a transport that tells everything",
    Effect.exit(
      TransportLaws.broken({
        make: Effect.succeed({ control: undefined, transport: leaky }),
        features: { secrets: [canary.apiKey] }
      } as never) as Effect.Effect<unknown>
    )
  ),
  c(
    "MemoryOutboxStore.make",
    "is empty",
    Effect.map(MemoryOutboxStore.make, ({ memory }) => memory.messages)
  ),
  c(
    "FakeCascade.throttle FakeCascade.down",
    "outcomes",
    Effect.sync(() => [
      FakeCascade.throttle("1 second"),
      FakeCascade.down("1 second"),
      Delivery.accepted(transaction().id, "1")
    ])
  )
]

const own = "a tool of tests that is given no message"

/** Operations that are given nothing personal, or whose answer is what was asked for; and which of the two. */
export const testingExcused: Readonly<Record<string, string>> = {
  "testing/EmulatorFault.format": "faults",
  "testing/EmulatorFault.nameOf": "a fault",
  "testing/EmulatorLedger.Received": "swept with the emulator's ledger",
  "testing/EmulatorOptions.settings": own,
  "testing/EmulatorOptions.webhookSettings": own,
  "testing/EnqueuedMessages.layerPg": "makes what EnqueuedMessages.make makes, which is swept",
  "testing/MessageArbitrary.batch": "draws messages that are nobody's",
  "testing/PgTestDatabase.PgTestDatabase": "its URL is redacted; see PgTestDatabase.test.ts",
  "testing/PgTestDatabase.PgTestDatabase.layer": own,
  "testing/PgTestDatabase.PgTestDatabase.layerNoServer": own,
  "testing/PgTestDatabase.PgTestDatabase.make": own,
  "testing/PgTestServer.PgTestServer": "its URL is redacted; see PgTestServer.test.ts",
  "testing/PgTestServer.PgTestServer.layer": own,
  "testing/PgTestServer.PgTestServer.layerOwned": own,
  "testing/PgTestServer.PgTestServer.make": own,
  "testing/PgTestServer.PgTestServer.makeOwned": own,
  "testing/Toxic.format": "toxics"
}
