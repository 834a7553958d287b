// The packed command: it is started by its name and asked over HTTP.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fail, path, run } from "./run.ts"

const message = {
  id: "order-1",
  fromName: "Shop",
  toPhone: "+380671112233",
  messageType: "transaction",
  text: "Paid"
}

export const serve = async (folder: string): Promise<void> => {
  const command = `${folder}/node_modules/.bin/cascade-testing`
  const version = await run(folder, command, "--version")
  const manifest = JSON.parse(
    await run(
      folder,
      process.execPath,
      "-p",
      `JSON.stringify(require("@effect-cascade/testing/package.json"))`
    )
  )
  if (!version.includes(manifest.version))
    fail(`--version says ${version}, the package is ${manifest.version}`)

  const args = ["emulator", "--port", "0", "--seed", "1", "--faults", "429:1x"]
  const child = spawn(command, args, { cwd: folder, env: { ...process.env, PATH: path } })
  const exited = once(child, "exit")
  const kill = () => void child.kill("SIGKILL")
  process.once("exit", kill)
  let errors = ""
  child.stderr.on("data", (chunk) => (errors += chunk))
  try {
    const lines = createInterface(child.stdout)
    const [line] = await Promise.race([once(lines, "line"), exited.then(() => [undefined])])
    const url =
      /^listening on (http:\S+)$/.exec(String(line))?.[1] ?? fail(`the emulator said: ${line}\n${errors}`)
    const send = () =>
      fetch(`${url}/api/CascadeMessage/send_message/async`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-authorization-key": "test-key" },
        body: JSON.stringify([message])
      })
    const throttled = await send()
    if (throttled.status !== 429) fail(`the planned fault was ${throttled.status} rather than 429`)
    const accepted = await send()
    const reply = await accepted.text()
    if (accepted.status !== 200 || !reply.includes(message.id))
      fail(`the emulator answered ${accepted.status}: ${reply}`)
  } finally {
    child.kill("SIGTERM")
  }
  const [code] = await exited
  process.off("exit", kill)
  if (code !== 0) fail(`the emulator ended with ${code}\n${errors}`)
}
