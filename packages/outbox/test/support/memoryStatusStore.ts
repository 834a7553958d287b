import * as DeliveryStatus from "@effect-cascade/core/DeliveryStatus"
import type { DueCheck, StatusMove, StatusStoreShape } from "@effect-cascade/outbox/StatusStore"
import { Clock, DateTime, Duration, Effect } from "effect"

/** A followed message in memory. Times in milliseconds on the clock of the test. */
export interface Followed {
  readonly trackingId: string
  readonly account: string
  readonly acceptedAt: number
  readonly deadline: number | undefined
  state: DeliveryStatus.DeliveryState | undefined
  nextAt: number | undefined
  lease: bigint
  leaseUntil: number | undefined
  checks: number
  misses: number
}

const providerId = ({ trackingId }: Followed) => `provider-${trackingId}`

const isEnd = (state: DeliveryStatus.DeliveryState | undefined) =>
  state?.confirmed === true && DeliveryStatus.isFinal(state.status)

/** A store in memory on the clock of the test, that keeps what a `StatusStore` promises. */
export const memoryStatusStore = () => {
  const rows = new Map<string, Followed>()
  const pauses = new Map<string, number>()
  const calls = { claims: 0, settles: 0 }

  const join = (row: Followed, state: DeliveryStatus.DeliveryState | undefined): StatusMove => {
    const previous = row.state
    if (state === undefined) return { previous, moved: false }
    row.state = previous === undefined ? state : DeliveryStatus.joinStates(previous, state)
    if (isEnd(row.state)) row.nextAt = row.leaseUntil = undefined
    return { previous, moved: row.state !== previous }
  }

  const isDue = (row: Followed, now: number) =>
    row.nextAt !== undefined && row.nextAt <= now && (row.leaseUntil === undefined || row.leaseUntil <= now)

  const lease = (row: Followed, now: number, duration: Duration.Duration): DueCheck => {
    row.lease++
    row.leaseUntil = now + Duration.toMillis(duration)
    row.checks++
    return {
      id: row.trackingId,
      lease: row.lease,
      account: row.account,
      providerMessageId: providerId(row),
      checks: row.checks,
      misses: row.misses,
      ageMillis: now - row.acceptedAt,
      remainingMillis: row.deadline === undefined ? null : row.deadline - now,
      trackingId: row.trackingId,
      messageType: "transaction"
    }
  }

  const shape: StatusStoreShape = {
    claim: (capacities, duration) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        calls.claims++
        return capacities
          .filter(({ account }) => (pauses.get(account) ?? 0) <= now)
          .flatMap(({ account, limit }) =>
            Array.from(rows.values())
              .filter((row) => row.account === account && isDue(row, now))
              .sort((one, other) => (one.nextAt ?? 0) - (other.nextAt ?? 0))
              .slice(0, limit)
              .map((row) => lease(row, now, duration))
          )
      }),
    settle: (check) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        calls.settles++
        const row = rows.get(check.id)
        if (row === undefined) return undefined
        const held = row.lease === check.lease && row.leaseUntil !== undefined
        if (held) {
          row.leaseUntil = undefined
          row.checks = check.checks
          row.misses = check.misses
          if (check.next.kind === "again") row.nextAt = now + check.next.delayMillis
          if (check.next.kind === "over") row.nextAt = undefined
        }
        return { ...join(row, check.state), held }
      }),
    record: (account, report) =>
      Effect.sync(() =>
        Array.from(rows.values())
          .filter((row) => row.account === account && providerId(row) === report.messageId)
          .map((row) => {
            const { moved, previous } = join(row, { status: report.status, confirmed: report.confirmed })
            return { moved, previous, trackingId: row.trackingId, messageType: "transaction" }
          })
      ),
    pause: (account, duration) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        pauses.set(account, Math.max(pauses.get(account) ?? 0, now + Duration.toMillis(duration)))
      }),
    read: (account, trackingId) =>
      Effect.sync(() => {
        const row = rows.get(trackingId)
        const at = DateTime.makeUnsafe(row?.acceptedAt ?? 0)
        return row === undefined || row.account !== account
          ? undefined
          : {
              messageId: providerId(row),
              state: row.state,
              following: row.nextAt !== undefined,
              checks: row.checks,
              acceptedAt: at,
              updatedAt: at
            }
      })
  }

  /** Follows messages from now on, due at once. */
  const follow = (
    trackingIds: ReadonlyArray<string>,
    options?: { readonly account?: string; readonly ttl?: Duration.Input }
  ) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      for (const trackingId of trackingIds) {
        rows.set(trackingId, {
          trackingId,
          account: options?.account ?? "default",
          acceptedAt: now,
          deadline: options?.ttl === undefined ? undefined : now + Duration.toMillis(options.ttl),
          state: undefined,
          nextAt: now,
          lease: 0n,
          leaseUntil: undefined,
          checks: 0,
          misses: 0
        })
      }
    })

  return { shape, rows, pauses, calls, follow }
}
