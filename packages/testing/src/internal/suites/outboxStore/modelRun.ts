/**
 * Runs a sequence of moves against a store and the model side by side, and compares every answer.
 *
 * Beside that, what must hold whatever the model says: no row is given to two holders whose leases are in force, the
 * numbers of a row's leases only grow, and in the end each committed message waits, is leased or has ended, once.
 */
import { assert } from "@effect/vitest"
import type { ClaimedRow } from "@effect-cascade/outbox/OutboxRow"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Arr from "effect/Array"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { type Command, type CommandOf, priorityOf, sizes } from "./commands.ts"
import * as Model from "./model.ts"
import * as checks from "./modelChecks.ts"
import { open as begin, type OpenTransaction } from "./openTransaction.ts"
import type { World } from "./world.ts"

const reason = new Reason.ServerError({ status: 500 })
const hour = Duration.hours(1)
const lengths = { over: Duration.zero, hour, endless: undefined }

/** Runs a sequence to its end; dies where the store does something else than the model. */
export const agreesWithModel = (world: World, commands: ReadonlyArray<Command>) =>
  Effect.gen(function* () {
    const run = yield* makeRun(world)
    for (const command of commands) {
      yield* run.step(command)
      yield* world.tick
    }
    yield* run.finish
  })

const makeRun = Effect.fnUntraced(function* (world: World) {
  const { store } = world
  const model = Model.empty()
  const scope = yield* Scope.Scope
  const running = new Map<number, OpenTransaction>()
  const laneOf = (lane: number) => world.laneOf(priorityOf(lane))
  const relayOf = (relay: number) => `relay-${relay}`

  const transactionOf = Effect.fnUntraced(function* (name: number) {
    const known = model.transactions.get(name)
    const open = running.get(name)
    if (known !== undefined && open !== undefined) return { known, open }
    const fresh = {
      known: { rank: model.rank, rows: new Map() },
      open: yield* Scope.provide(begin(store), scope)
    }
    model.transactions.set(name, fresh.known)
    running.set(name, fresh.open)
    return fresh
  })

  const insert = Effect.fnUntraced(function* (command: CommandOf<"Insert">) {
    const free = command.rows.filter(({ key }) => !Model.isTaken(model, command.transaction, key))
    if (!Arr.isReadonlyArrayNonEmpty(free)) return
    const { known, open } = yield* transactionOf(command.transaction)
    const before = new Map(known.rows)
    const now = yield* Clock.currentTimeMillis
    const rows = Arr.map(free, ({ content, key, later, lane }) => ({
      expected: { id: SecureRandom.uuidV7Unsafe(), key, content, lane, later },
      row: { trackingId: `key-${key}`, lane: laneOf(lane), payload: `content ${content}` },
      availableAt: later ? now + Duration.toMillis(Duration.days(1)) : undefined
    }))
    const expected = rows.map((one) => Model.insert(model, known, one.expected))
    const inserting = store.insert(
      Arr.map(rows, ({ availableAt, expected: { id }, row }) => world.row({ ...row, id, availableAt }))
    )
    const answers = yield* open.run(
      command.savepoint === "none"
        ? inserting
        : command.savepoint === "kept"
          ? store.transaction(inserting)
          : Effect.catch(
              store.transaction(Effect.flatMap(inserting, (answers) => Effect.fail({ dropped: answers }))),
              (error) => ("dropped" in error ? Effect.succeed(error.dropped) : Effect.fail(error))
            )
    )
    if (command.savepoint === "dropped") {
      known.rows.clear()
      for (const [key, row] of before) known.rows.set(key, row)
    }
    assert.deepStrictEqual(
      answers.map(({ id, result }) => ({ id, result })),
      expected,
      "what insert answers"
    )
  })

  const end = Effect.fnUntraced(function* ({ how, transaction }: CommandOf<"End">) {
    const known = model.transactions.get(transaction)
    const open = running.get(transaction)
    if (known === undefined || open === undefined) return
    model.transactions.delete(transaction)
    running.delete(transaction)
    yield* open[how]
    if (how === "commit") Model.commit(model, known)
  })

  /** What any claimed row must be, whoever claimed it. */
  const accept = (claimed: ClaimedRow, lapsing: ReadonlySet<string>) => {
    const row = Array.from(model.committed.values()).find(({ id }) => id === claimed.id)
    if (row === undefined) return assert.fail("a row was claimed that nobody has committed")
    assert.notStrictEqual(row.state, "ended", "a row was claimed that has ended")
    assert.isTrue(row.state === "free" || lapsing.has(row.id), "a row was claimed that another holds")
    assert.isTrue(claimed.lease > row.lease, "the number of a lease did not grow")
    Model.lease(model, row, claimed.lease)
    assert.deepInclude(
      claimed,
      { attempts: row.attempts, lapses: row.lapses, lapsed: lapsing.has(row.id), lane: laneOf(row.lane) },
      "what claim says of a row"
    )
    assert.strictEqual(claimed.payload, `content ${row.content}`)
    return row
  }

  const claim = Effect.fnUntraced(function* ({ limits }: CommandOf<"Claim">) {
    const wanted = limits.map((limit, lane) => ({ lane, limit })).filter(({ limit }) => limit > 0)
    if (!Arr.isArrayNonEmpty(wanted)) return
    const dueBefore = wanted.map(({ lane }) => Model.due(model, lane))
    const claimed = yield* store.claim(
      Arr.map(wanted, ({ lane, limit }) => ({ lane: laneOf(lane), limit })),
      { lease: hour, relay: relayOf(0) }
    )
    const rows = claimed.map((one) => accept(one, new Set()))
    wanted.forEach(({ lane, limit }, index) => {
      const dueRows = dueBefore[index] ?? []
      const taken = rows.filter((row) => row.lane === lane)
      assert.lengthOf(taken, Math.min(limit, dueRows.length), "how many were claimed")
      const left = dueRows.filter((row) => !taken.includes(row))
      const latest = Math.max(...taken.map(({ rank }) => rank))
      assert.isTrue(
        left.every(({ rank }) => rank >= latest),
        "one was passed over that was due longer"
      )
      const ranks = taken.map(({ rank }) => rank)
      assert.deepStrictEqual(
        ranks,
        [...ranks].sort((a, b) => a - b),
        "the longest due come first"
      )
    })
  })

  /** Some of the latest leases, whether they are in force or not; each of another row. */
  const pick = (picks: ReadonlyArray<number>) => {
    const latest = model.leases.slice(-16)
    const picked = picks.flatMap((choice) => latest[choice % latest.length] ?? [])
    return Arr.dedupeWith(picked, (a, b) => a.row === b.row)
  }
  const toHeld = ({ lease, row }: Model.Model["leases"][number]) => ({ id: row.id, lease })
  const sorted = (ids: Iterable<string>) => Array.from(ids).sort()

  const settle = Effect.fnUntraced(function* (command: CommandOf<"Settle">) {
    const { counted, kind, later } = command
    const relay = relayOf(command.relay)
    const picked = pick(command.picks)
    if (!Arr.isArrayNonEmpty(picked)) return
    const answer = yield* store.settle(
      Arr.map(picked, (held) => ({
        ...toHeld(held),
        kind,
        delayMillis: kind === "retry" && later ? Duration.toMillis(Duration.days(1)) : 0,
        counted,
        reason,
        providerMessageId: undefined
      })),
      { relay }
    )
    const expected = picked.filter((held) => Model.settle(model, held, { kind, counted, later, relay }))
    assert.deepStrictEqual(sorted(answer), sorted(expected.map(({ row }) => row.id)), "what settle answers")
  })

  const renew = Effect.fnUntraced(function* ({ picks }: CommandOf<"Renew">) {
    const picked = pick(picks)
    if (!Arr.isArrayNonEmpty(picked)) return
    const answer = yield* store.renew(Arr.map(picked, toHeld), hour)
    const expected = picked.filter(Model.holds).map(({ row }) => row.id)
    assert.deepStrictEqual(sorted(answer), sorted(expected), "what renew answers")
  })

  /** Lets leases run out, and claims until all of those rows have come back. */
  const lapse = Effect.fnUntraced(function* (lane: number, chosen: (index: number) => boolean) {
    const lapsing = Model.leased(model, lane).filter((_, index) => chosen(index))
    if (Arr.isArrayNonEmpty(lapsing)) yield* store.renew(lapsing, Duration.millis(10))
    const missing = new Set(lapsing.map(({ id }) => id))
    const dueIds = Model.due(model, lane).map(({ id }) => id)
    const expected = sorted([...missing, ...dueIds])
    const claimed: Array<string> = []
    yield* world.until(
      Effect.map(
        store.claim([{ lane: laneOf(lane), limit: 100 }], { lease: hour, relay: relayOf(0) }),
        (rows) => {
          for (const one of rows) {
            accept(one, missing)
            missing.delete(one.id)
            claimed.push(one.id)
          }
          return missing.size === 0 ? true : undefined
        }
      )
    )
    assert.deepStrictEqual(sorted(claimed), expected, "what was claimed when leases had run out")
  })

  const checkLanes = checks.lanes(world, model)

  const step = (command: Command): Effect.Effect<void, unknown> => {
    model.rank++
    switch (command._tag) {
      case "Insert":
        return insert(command)
      case "End":
        return end(command)
      case "Claim":
        return claim(command)
      case "Settle":
        return settle(command)
      case "Renew":
        return renew(command)
      case "Lapse":
        return lapse(command.lane, (index) => ((command.mask >> (index % 4)) & 1) === 1)
      case "Pause": {
        const { lane, length, trips } = command
        Model.pause(model, lane, command)
        return Effect.andThen(
          store.pauseLanes({
            lanes: [laneOf(lane)],
            duration: lengths[length],
            reason: command.reason ? reason : undefined,
            trips
          }),
          checkLanes
        )
      }
      case "Probe":
        return Effect.flatMap(store.probeLane(laneOf(command.lane), lengths[command.window]), (taken) => {
          assert.strictEqual(
            taken,
            Model.probe(model, command.lane, command.window),
            "whether a probe was let"
          )
          return checkLanes
        })
      case "Open": {
        const lane = laneOf(command.lane)
        if (command.how === "resume") {
          model.lanes.delete(command.lane)
          return Effect.andThen(store.resumeLanes([lane]), checkLanes)
        }
        return Effect.flatMap(store.reopenLanes([lane]), (opened) => {
          assert.deepStrictEqual(opened, Model.reopen(model, command.lane) ? [lane] : [], "what was reopened")
          return checkLanes
        })
      }
    }
  }

  const finish = Effect.gen(function* () {
    for (const transaction of Array.from(running.keys())) {
      yield* end({ _tag: "End", transaction, how: "rollback" })
    }
    for (let lane = 0; lane < sizes.lanes; lane++) yield* lapse(lane, () => true)
    yield* checks.stored(world, model)
    yield* checks.keys(world, model)
  })

  return { step, finish }
})
