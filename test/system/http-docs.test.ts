import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { program, scratchHome, startDaemon, type Daemon, type Home } from './daemon.ts'

let home: Home
let daemon: Daemon
beforeAll(async () => {
  home = scratchHome()
  daemon = await startDaemon(home, { args: ['--model', 'sim/echo'] })
})
afterAll(async () => {
  await daemon.stop()
  home.remove()
})

/** Commands, and the answer that stands behind them. */
const page = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8')
const examples = [...page.matchAll(/^```sh\n(.*?)^```\n(?:```(?:json|text)\n(.*?)^```)?/gms)].map(
  ([, commands, answer]) => ({ commands: commands!, answer }),
)

/** What differs from run to run: ids, times, and how far a run got that was cancelled. */
const masked = (text: string): string[] =>
  text
    .replaceAll('\r', '')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .replaceAll(/"ts":\d+/g, '"ts":0')
    .replaceAll(/("seq":\d+|"(?:input|output|total)_tokens":\d+,)+(?=.*"cancelled")/g, '…')
    .trim()
    .split(/\n|(?<=\})(?=\{)/)

test('the examples of docs/http.md do what the page says', async () => {
  const script = examples
    .filter(({ commands }) => !commands.startsWith('runlet '))
    .map(
      ({ commands }, i) =>
        `${i === 0 ? commands.replace(/^URL=.*$/m, '') : commands}\necho; echo "=== end of example"\n`,
    )
    .join('')
  const said = (await bash(script)).split('=== end of example\n').slice(0, -1)
  const shown = examples.filter(({ commands }) => !commands.startsWith('runlet ')).map(({ answer = '' }) => answer)
  expect(said.map(masked)).toEqual(shown.map(masked))
  expect(shown.length).toBeGreaterThan(7)
})

function bash(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...home.env, URL: daemon.url, RUNLET_HOME: home.path }
    const shell = spawn('bash', ['-c', `runlet() { '${process.execPath}' '${program}' "$@"; }\n${script}`], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let stdout = ''
    shell.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    shell.once('error', reject)
    shell.once('close', () => resolve(stdout))
  })
}
