// Runs a command and shows its output only where it failed. Steps say how long they took.
import { type ExecFileException, execFile } from "node:child_process"

const bin = new URL("../../node_modules/.bin", import.meta.url).pathname

/** The repository's own Node and tools come first. */
export const path = `${bin}:${process.env["PATH"]}`

export class Failed extends Error {}

export const fail = (message: string): never => {
  throw new Failed(message)
}

export const run = (cwd: string, command: string, ...args: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve, reject) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) =>
      error === null
        ? resolve(stdout)
        : reject(new Failed(`${command} ${args.join(" ")} failed in ${cwd}:\n${stdout}${stderr}`))
    execFile(command, [...args], { cwd, env: { ...process.env, PATH: path }, maxBuffer: 1 << 26 }, done)
  })

export const step = async <A>(title: string, work: () => Promise<A>): Promise<A> => {
  const started = performance.now()
  const result = await work()
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`ok ${seconds.padStart(5)} s  ${title}\n`)
  return result
}

/** Runs a program of checks: a failed one is a message and a non-zero exit, not a stack. */
export const main = async (program: () => Promise<void>): Promise<void> => {
  try {
    await program()
  } catch (error) {
    if (!(error instanceof Failed)) throw error
    process.stderr.write(`\nnot ok: ${error.message}\n`)
    process.exitCode = 1
  }
}
