/**
 * Finds the rows of a lane that can be claimed, the longest due first, without looking at the others.
 *
 * Free rows wait in the order in which they fall due, leased ones in the order in which their leases end. A row that
 * moves leaves its old entry behind; that is recognised by its number when its turn comes, and passed over.
 */
import * as Heap from "./heap.ts"
import type { WorkRow } from "./state.ts"

export interface WorkIndex {
  /** Puts a row where its due time and lease say. To be called after each change of them. */
  readonly place: (work: WorkRow) => void
  /** Takes rows of a lane that can be claimed at `now`; each has to be placed again or removed. */
  readonly take: (lane: string, limit: number, now: number) => ReadonlyArray<WorkRow>
  readonly remove: (work: WorkRow) => void
  /** For each lane with rows, the earliest instant at which one of them can be claimed. */
  readonly earliest: () => ReadonlyMap<string, number>
}

interface Entry {
  readonly at: number
  readonly work: WorkRow
  readonly placed: number
}

interface Lane {
  readonly free: Heap.Heap<Entry>
  readonly leased: Heap.Heap<Entry>
}

export const make = (): WorkIndex => {
  const lanes = new Map<string, Lane>()

  const laneOf = (name: string): Lane => {
    const known = lanes.get(name)
    if (known !== undefined) return known
    const lane = { free: Heap.make(isBefore), leased: Heap.make(isBefore) }
    lanes.set(name, lane)
    return lane
  }

  const place = (work: WorkRow) => {
    const lane = laneOf(work.message.row.lane)
    const placed = ++work.placed
    if (work.leaseUntil === undefined) lane.free.push({ at: work.dueAt, work, placed })
    else lane.leased.push({ at: work.leaseUntil, work, placed })
  }

  return {
    place,

    take: (name, limit, now) => {
      const lane = lanes.get(name)
      if (lane === undefined) return []
      for (
        let entry = first(lane.leased);
        entry !== undefined && entry.at <= now;
        entry = first(lane.leased)
      ) {
        lane.leased.pop()
        lane.free.push({ ...entry, at: entry.work.dueAt })
      }
      const taken: Array<WorkRow> = []
      while (taken.length < limit) {
        const entry = first(lane.free)
        if (entry === undefined || entry.at > now) break
        lane.free.pop()
        // A clock that was set back makes a lease that was over last again.
        if (entry.work.leaseUntil !== undefined && entry.work.leaseUntil > now) place(entry.work)
        else taken.push(entry.work)
      }
      return taken
    },

    remove: (work) => {
      work.placed++
    },

    earliest: () =>
      new Map(
        Array.from(lanes).flatMap(([name, { free, leased }]): Array<[string, number]> => {
          const at = Math.min(first(free)?.at ?? Infinity, first(leased)?.at ?? Infinity)
          return at === Infinity ? [] : [[name, at]]
        })
      )
  }
}

const isBefore = (a: Entry, b: Entry): boolean =>
  a.at < b.at || (a.at === b.at && a.work.message.sequence < b.work.message.sequence)

/** The first entry that still says where its row is. */
const first = (heap: Heap.Heap<Entry>): Entry | undefined => {
  let entry = heap.peek()
  while (entry !== undefined && entry.placed !== entry.work.placed) {
    heap.pop()
    entry = heap.peek()
  }
  return entry
}
