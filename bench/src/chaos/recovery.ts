/** How long it took until things moved again: after each kill what the killed relay held, after a crash anything. */
import type { Evidence } from "./evidence.ts"
import type { Injected, Outage } from "./injector.ts"
import { spread, type Spread } from "./spread.ts"
import type { Watched } from "./watcher.ts"

/** Times are in milliseconds. */
export interface Recovery {
  /** Kills that met a relay which held something. */
  readonly kills: number
  /** Rows that the killed relays held, and another took over. */
  readonly rows: number
  /** From each kill to the moment when the last row of the killed relay was taken over. */
  readonly afterKill: Spread
  /**
   * How much longer than a lease that was, without the times after it in which nobody could have taken the rows: the
   * database was away or recovering, the lanes were paused, or no relay worked.
   */
  readonly beyondLease: Spread
  /** The slowest of them, the worst first. */
  readonly slowest: ReadonlyArray<{
    readonly name: string
    readonly killedAt: number
    readonly rows: number
    readonly after: number
    readonly beyondLease: number
  }>
  /** From the moment when the database takes connections again to the first outcome that is written. */
  readonly afterRestart: Spread
  /** All times in which nobody could do anything. */
  readonly spans: ReadonlyArray<Outage>
  /** How long, in milliseconds, nobody could do anything: by what kept them. They may overlap. */
  readonly blocked: {
    readonly databaseAway: number
    readonly lanesPaused: number
    readonly lanesOnTrial: number
    readonly noRelay: number
  }
}

export const measure = (
  evidence: Evidence,
  injected: Injected,
  watched: Watched,
  leaseMillis: number
): Recovery => {
  const outcomes = evidence.messages.flatMap(({ id, outcomes }) =>
    outcomes.map((outcome) => ({ ...outcome, id }))
  )
  const lapses = outcomes.filter(({ kind }) => kind === "lapsed")
  const holderOf = new Map<string, Array<number>>()
  for (const { at, id, lease } of lapses) {
    const holder = evidence.claims.get(`${id} ${lease}`)
    if (holder === undefined) continue
    const known = holderOf.get(holder)
    if (known === undefined) holderOf.set(holder, [at])
    else known.push(at)
  }

  const written = outcomes.map(({ at }) => at).sort((a, b) => a - b)
  const recovered = injected.restarts.map(({ from, to }): Outage => ({
    from,
    to: written.find((at) => at > to) ?? to
  }))
  const blocked = merged([...recovered, ...watched.paused, ...watched.onTrial, ...watched.deserted])

  const kills = injected.kills.flatMap(({ at, name }) => {
    const moved = (holderOf.get(name) ?? []).filter((moment) => moment >= at)
    if (moved.length === 0) return []
    const waited = { from: at + leaseMillis, to: Math.max(...moved) }
    const beyondLease = Math.max(0, waited.to - waited.from - shared(waited, blocked))
    return [{ name, killedAt: at, rows: moved.length, after: waited.to - at, beyondLease }]
  })
  return {
    kills: kills.length,
    rows: kills.reduce((sum, { rows }) => sum + rows, 0),
    afterKill: spread(kills.map(({ after }) => after)),
    beyondLease: spread(kills.map(({ beyondLease }) => beyondLease)),
    slowest: [...kills].sort((a, b) => b.beyondLease - a.beyondLease).slice(0, 5),
    afterRestart: spread(injected.restarts.map(({ to }, index) => (recovered[index]?.to ?? to) - to)),
    spans: blocked,
    blocked: {
      databaseAway: length(recovered),
      lanesPaused: length(watched.paused),
      lanesOnTrial: length(watched.onTrial),
      noRelay: length(watched.deserted)
    }
  }
}

const length = (spans: ReadonlyArray<Outage>): number =>
  spans.reduce((sum, { from, to }) => sum + to - from, 0)

/** Spans that do not overlap, in order. */
const merged = (spans: ReadonlyArray<Outage>): ReadonlyArray<Outage> => {
  const result: Array<Outage> = []
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1)
    if (last !== undefined && span.from <= last.to) {
      result[result.length - 1] = { from: last.from, to: Math.max(last.to, span.to) }
    } else {
      result.push(span)
    }
  }
  return result
}

/** How much of a span lies in others. */
const shared = (span: Outage, spans: ReadonlyArray<Outage>): number =>
  spans.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to, span.to) - Math.max(from, span.from)), 0)
