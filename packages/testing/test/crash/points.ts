/**
 * Where a relay can be when its process dies, and what follows from it.
 */

/** The moments between which everything of a message's way lies that a relay does. */
export const points = [
  "after the claim commits",
  "before the first byte of the request",
  "after the last byte of the request",
  "after the response, before the settle",
  "in the settle, before it commits",
  "after the settle commits, before the relay knows"
] as const

export type Point = (typeof points)[number]

export type Policy = "resend" | "hold"

/** What becomes of a message whose relay dies. */
export interface Fate {
  /** The outcomes of it, with the number of the attempt. */
  readonly outcomes: ReadonlyArray<string>
  /** How often the provider took it on. */
  readonly received: number
}

const notSent: Readonly<Record<Policy, Fate>> = {
  resend: { outcomes: ["lapsed 0", "sent 1"], received: 1 },
  hold: { outcomes: ["lapsed 0", "uncertain 1"], received: 0 }
}

const sent: Readonly<Record<Policy, Fate>> = {
  resend: { outcomes: ["lapsed 0", "sent 1"], received: 2 },
  hold: { outcomes: ["lapsed 0", "uncertain 1"], received: 1 }
}

const settled: Fate = { outcomes: ["sent 1"], received: 1 }

/** The promise for each point and policy; the type of the message makes no difference. */
export const fates: Readonly<Record<Point, Readonly<Record<Policy, Fate>>>> = {
  "after the claim commits": notSent,
  "before the first byte of the request": notSent,
  "after the last byte of the request": sent,
  "after the response, before the settle": sent,
  "in the settle, before it commits": sent,
  "after the settle commits, before the relay knows": { resend: settled, hold: settled }
}

/** The table of the fates, as docs/reliability.md has it. */
export const table: ReadonlyArray<string> = [
  "| the relay's process dies | `resend`: recorded | received | `hold`: recorded | received |",
  "| --- | --- | --- | --- | --- |",
  ...points.map((point) => {
    const { hold, resend } = fates[point]
    return `| ${point} | ${recorded(resend)} | ${times(resend)} | ${recorded(hold)} | ${times(hold)} |`
  })
]

function recorded({ outcomes }: Fate): string {
  return outcomes.map((outcome) => `\`${outcome.split(" ")[0] ?? ""}\``).join(", ")
}

function times({ received }: Fate): string {
  return received === 0 ? "never" : received === 1 ? "once" : "twice"
}
