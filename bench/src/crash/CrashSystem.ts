/**
 * What each system under the kill script is asked to do: write jobs, and work on them in a process that will be
 * killed. All of them are given the same jobs, the same pace and the same provider.
 */
import type { Notice } from "../support/messages.ts"

/** How a system is set up for a run. */
export interface Variant {
  readonly name: string
  /** What is set that decides about recovery, for the table. */
  readonly settings: string
  /** By the system's own code or documentation: within which time what a killed worker held goes on. */
  readonly promised: string
  /** Where that stands. */
  readonly source: string
}

/** What a worker does with each batch that its system hands it: one job or many. */
export type Handle = (messages: ReadonlyArray<Notice>) => Promise<ReadonlyMap<string, string>>

export interface CrashSystem {
  readonly name: string
  readonly variants: ReadonlyArray<Variant>
  /** Makes the tables; in the process that writes jobs. */
  readonly open: (url: string, variant: string) => Promise<Writer>
  /** Works until the process is killed. `note` keeps a word for {@link Writer.afterDeath}. */
  readonly work: (
    url: string,
    variant: string,
    handle: Handle,
    note: (word: string) => void
  ) => Promise<unknown>
}

export interface Writer {
  readonly enqueue: (message: Notice) => Promise<void>
  /** Jobs that are not done: waiting, held by somebody, or given up. */
  readonly left: () => Promise<number>
  /** What whoever sees a worker die can do about it, with the words that the worker noted. */
  readonly afterDeath?: ((words: ReadonlyArray<string>) => Promise<void>) | undefined
  readonly close: () => Promise<void>
}
