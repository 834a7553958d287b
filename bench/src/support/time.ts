/** One clock for all processes of a run: the machine's monotonic one, in milliseconds. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** How long an action takes, in milliseconds. */
export const timed = async (action: () => Promise<unknown>): Promise<number> => {
  const started = now()
  await action()
  return now() - started
}
