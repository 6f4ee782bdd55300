import { expect, test } from 'vitest'
import type { Bench } from './runlet.ts'
import { withCli } from './runlet.ts'

const ask = (cli: Bench, words: string) => cli.run(['ask', '--model', 'sim/echo', words])

test.concurrent(
  'the whole id, its beginning, its end and "last" name a run',
  withCli(async (cli) => {
    await ask(cli, 'first')
    await ask(cli, 'second')
    const [second, first] = await cli.runs()
    const names = [first!.run_id, first!.run_id.slice(-8), first!.run_id.slice(0, 35)]
    for (const name of names) expect((await cli.run(['follow', name])).stdout).toBe('first\n')
    expect((await cli.run(['follow', 'last'])).stdout).toBe('second\n')
    const both = await cli.run(['follow', first!.run_id.slice(0, 2)])
    expect([both.stderr, both.status]).toEqual([
      `runlet: "${first!.run_id.slice(0, 2)}" fits 2 runs; give more of the id, for example ${second!.run_id}\n`,
      2,
    ])
  }),
)

const unknown: [args: string[], status: number][] = [
  [['follow', 'nope'], 1],
  [['show', '00000000-0000-7000-8000-000000000000'], 1],
  [['cancel', 'nope'], 1],
]
for (const [args, status] of unknown) {
  test.concurrent(
    `an unknown run: ${args.join(' ')}`,
    withCli(async (cli) => {
      await ask(cli, 'first')
      const result = await cli.run(args)
      expect(result.stderr).toMatch(
        new RegExp(`^runlet: there is no run "${args[1]}".*; "runlet runs" lists those there are\n$`),
      )
      expect([result.stdout, result.status]).toEqual(['', status])
    }),
  )
}

test.concurrent(
  'in an empty store "last" says how to begin',
  withCli(async (cli) => {
    expect(await cli.run(['follow', 'last'])).toEqual({
      stdout: '',
      stderr: 'runlet: there are no runs yet; start one with: runlet ask "…"\n',
      status: 1,
    })
    expect(await cli.run(['runs'])).toEqual({ stdout: 'no runs\n', stderr: '', status: 0 })
  }),
)

test.concurrent(
  'runs is a table, newest first; filters hold',
  withCli(async (cli) => {
    await ask(cli, 'first\nline')
    await cli.run(['ask', '--model', 'sim/echo?status=400', 'second'])
    const { stdout } = await cli.run(['runs'])
    const [second, first] = await cli.runs()
    const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
    expect(rows.map((row) => [row[0], row[1], row[4], row[5], row[6]])).toEqual([
      ['RUN', 'STATUS', 'SESSION', 'MODEL', 'PROMPT'],
      [second!.run_id.slice(-8), 'failed', second!.session_id.slice(-8), 'sim/echo?status=400', 'second'],
      [first!.run_id.slice(-8), 'completed', first!.session_id.slice(-8), 'sim/echo', 'first'],
      ['', undefined, undefined, undefined, undefined],
    ])
    const listed = async (...args: string[]) =>
      (await cli.run(['runs', '--json', ...args])).stdout
        .match(/"run_id":"[^"]+"/g)
        ?.map((match) => match.slice(10, -1))
    expect(await listed('--status', 'failed')).toEqual([second!.run_id])
    expect(await listed('--session', first!.session_id.slice(-8))).toEqual([first!.run_id])
    expect(await listed('--limit', '1')).toEqual([second!.run_id])
  }),
)

test.concurrent(
  'show tells state, messages, usage and times',
  withCli(async (cli) => {
    await ask(cli, 'hello \x1b[2J')
    const { stdout, status } = await cli.run(['show', 'last'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/^run +[0-9a-f-]{36}\nsession +[0-9a-f-]{36}\nstatus +completed\nmodel +sim\/echo\n/)
    expect(stdout).toMatch(/\nusage +\d+ tokens in, \d+ out\n/)
    expect(stdout).toContain('\n\nuser\nhello ␛[2J\n\nassistant\nhello ␛[2J\n')
    const shown = JSON.parse((await cli.run(['show', 'last', '--json'])).stdout)
    expect(shown.messages).toEqual([
      { role: 'user', content: 'hello \x1b[2J' },
      { role: 'assistant', parts: [{ type: 'text', text: 'hello \x1b[2J' }] },
    ])
    expect(shown.timing.first_token_ms).toBeGreaterThanOrEqual(0)
  }),
)

test.concurrent(
  'prune forgets ended runs',
  withCli(async (cli) => {
    await ask(cli, 'first')
    const { stdout, status } = await cli.run(['prune', '--max-size', '0'])
    expect(stdout).toMatch(/^forgot 1 runs, \d+ bytes\n$/)
    expect(status).toBe(0)
    expect(await cli.run(['follow', 'last', '--json'])).toMatchObject({ stdout: '', status: 1 })
    await cli.serve()
    const shown = await cli.run(['show', 'last'])
    expect(shown).toMatchObject({ stderr: '', status: 0 })
    expect(shown.stdout).toMatch(/\nstatus +completed\n[^]*forgotten by retention/)
    expect(JSON.parse((await cli.run(['show', 'last', '--json'])).stdout)).toMatchObject({ pruned: true, messages: [] })
  }),
)
