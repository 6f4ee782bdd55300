import { Command } from 'commander'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { addSim } from '../../src/cli/sim.ts'
import { faultTerms } from '../../src/sim/faults.ts'
import { ownModels } from '../../src/sim/scripts/index.ts'
import { ask } from './raw.ts'
import { ownFixtures } from './stage.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** Runs `runlet sim …` in this process. `printed` grows as the command prints. */
function runSim(...args: string[]) {
  const printed = { text: '', errors: [] as string[] }
  let wake = () => {}
  vi.spyOn(process.stdout, 'write').mockImplementation((text, encodingOrDone?: unknown) => {
    printed.text += String(text)
    wake()
    if (typeof encodingOrDone === 'function') encodingOrDone()
    return true
  })
  vi.spyOn(console, 'error').mockImplementation((line: string) => {
    printed.errors.push(line)
    wake()
  })
  const program = new Command('runlet').exitOverride().configureOutput({ writeErr: () => {} })
  addSim(program)
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} })
  const done = program.parseAsync(['sim', ...args], { from: 'user' })
  const until = async (when: () => boolean) => {
    while (!when()) await new Promise<void>((resolve) => (wake = resolve))
  }
  return { printed, done, until }
}

test('--list prints every model, and does not stay', async () => {
  const { printed, done } = runSim('--list', '--dir', ownFixtures)
  await done
  const names = printed.text.split('\n').map((line) => line.trim().split(/ {2,}/)[0])
  expect(names).toEqual([
    ...ownModels.map(({ name }) => name),
    'thinker',
    'chunks',
    'foreign',
    'messages',
    'nested/crlf',
    'nested/lines',
    'timed',
    '',
  ])
})

test('serves until a signal comes, tells where, and reports each request on stderr', async () => {
  const { printed, done, until } = runSim(
    '--port',
    '0',
    '--fault',
    'cut=10',
    '--fault',
    'rst',
    '--tokens-per-second',
    'max',
  )
  await until(() => printed.text.includes('curl'))
  const [, port] = /^runlet sim listening on http:\/\/127\.0\.0\.1:(\d+)\n/.exec(printed.text)!
  expect(printed.text).toContain(`OPENAI_BASE_URL=http://127.0.0.1:${port}/v1`)
  const body = { model: 'slow\u001b[31m?no-done', messages: [] }
  const answer = await ask(Number(port), { path: '/api/chat', body })
  expect(answer.status).toBe(404)
  const cut = await ask(Number(port), { path: '/api/chat', body: { ...body, model: 'slow' } })
  expect([cut.body.length, cut.closed]).toEqual([10, 'rst'])
  await until(() => printed.errors.length === 2)
  process.emit('SIGTERM')
  await done
  expect(printed.errors.map((line) => line.replace(/\d+ ms/, 'N ms'))).toEqual([
    'POST /api/chat slow␛[31m?no-done  404 44 bytes N ms complete',
    'POST /api/chat slow  200 10 bytes N ms fault',
  ])
  await expect(fetch(`http://127.0.0.1:${port}/api/version`)).rejects.toThrow('fetch failed')
})

describe('refuses', () => {
  const cases: [name: string, args: string[], error: object][] = [
    ['an unknown fault', ['--fault', 'explode'], { reason: 'fault_unknown' }],
    ['a folder that is not there', ['--list', '--dir', 'no/such/folder'], { reason: 'bad_folder' }],
    ['a port that is none', ['--port', '70000'], { code: 'commander.invalidArgument' }],
    ['a pace that is none', ['--tokens-per-second', '0'], { code: 'commander.invalidArgument' }],
    ['another timing', ['--timing', 'exact'], { code: 'commander.invalidArgument' }],
  ]
  for (const [name, args, error] of cases) {
    test(name, () => expect(runSim(...args).done).rejects.toMatchObject(error))
  }
})

test('--help explains every fault', async () => {
  const { printed, done } = runSim('--help')
  await expect(done).rejects.toMatchObject({ code: 'commander.helpDisplayed' })
  const missing = Object.entries(faultTerms).filter(([, { about }]) => !printed.text.includes(about))
  expect(missing).toEqual([])
})
