import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Bench } from './runlet.ts'
import { bench, main } from './runlet.ts'

let cli: Bench
beforeEach(() => void (cli = bench()))
afterEach(() => cli.close())

const database = () => join(cli.home, 'runlet.db')
const configure = (text: string, folder = cli.home) => writeFileSync(join(folder, 'runlet.toml'), text)

test('--version is the version of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(await cli.run(['--version'])).toEqual({ stdout: `${version}\n`, stderr: '', status: 0 })
})

test('--help lists every command; each explains itself with an example', async () => {
  const { stdout, status } = await cli.run(['--help'])
  expect(status).toBe(0)
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name]) => name!)
  expect(commands).toEqual([
    'ask',
    'follow',
    'cancel',
    'show',
    'runs',
    'serve',
    'start',
    'models',
    'doctor',
    'trust',
    'prune',
    'sim',
    'help',
  ])
  const helps = await Promise.all(commands.slice(0, -1).map((name) => cli.run([name, '--help'])))
  for (const help of helps) {
    expect(help).toMatchObject({ stderr: '', status: 0 })
    expect(help.stdout).toMatch(/Examples?:\n|Faults/)
  }
})

const usage: [name: string, args: string[], stderr: RegExp][] = [
  ['an unknown command', ['folow'], /^runlet: unknown command 'folow'; did you mean follow\?\n$/],
  ['an unknown flag of the program', ['--verion'], /^runlet: unknown option '--verion'; did you mean --version\?\n$/],
  [
    'an unknown flag of a command',
    ['runs', '--satus', 'x'],
    /^runlet: unknown option '--satus'; did you mean --status\?\n$/,
  ],
  ['a missing argument', ['follow'], /^runlet: missing required argument 'run'\n$/],
  ['one argument too many', ['show', 'a', 'b'], /^runlet: too many arguments for 'show'/],
  [
    'a value that is none of the choices',
    ['runs', '--status', 'done'],
    /Allowed choices are running, completed, failed, cancelled\.\n$/,
  ],
  [
    'a cursor that is none',
    ['follow', 'last', '--after', 'x'],
    /^runlet: "x" is not a cursor; give the id of the last event you saw, for example 1-42/,
  ],
  ['nothing to prune', ['prune'], /^runlet: say what to forget: --older-than 30d, --max-size 2G, or both\n$/],
  [
    'an age that is none',
    ['prune', '--older-than', 'old'],
    /It must be a number and s, m, h or d, for example 30d\.\n$/,
  ],
]
for (const [name, args, stderr] of usage) {
  test(`a mistake in the usage ends with 2 and the fix: ${name}`, async () => {
    const result = await cli.run(args)
    expect(result.stderr).toMatch(stderr)
    expect([result.stdout, result.status]).toEqual(['', 2])
  })
}

describe('runs by name', () => {
  const ask = (...words: string[]) => cli.run(['ask', '--model', 'sim/echo', ...words])

  test('the whole id, its beginning, its end and "last" name a run', async () => {
    await ask('first')
    await ask('second')
    const [second, first] = await cli.runs()
    const names = [first!.run_id, first!.run_id.slice(-8), first!.run_id.slice(0, 35)]
    for (const name of names) expect((await cli.run(['follow', name])).stdout).toBe('first\n')
    expect((await cli.run(['follow', 'last'])).stdout).toBe('second\n')
    const both = await cli.run(['follow', first!.run_id.slice(0, 2)])
    expect([both.stderr, both.status]).toEqual([
      `runlet: "${first!.run_id.slice(0, 2)}" fits 2 runs; give more of the id, for example ${second!.run_id}\n`,
      2,
    ])
  })

  const unknown: [args: string[], status: number][] = [
    [['follow', 'nope'], 1],
    [['show', '00000000-0000-7000-8000-000000000000'], 1],
    [['cancel', 'nope'], 1],
  ]
  for (const [args, status] of unknown) {
    test(`an unknown run: ${args.join(' ')}`, async () => {
      await ask('first')
      const result = await cli.run(args)
      expect(result.stderr).toMatch(
        new RegExp(`^runlet: there is no run "${args[1]}".*; "runlet runs" lists those there are\n$`),
      )
      expect([result.stdout, result.status]).toEqual(['', status])
    })
  }

  test('in an empty store "last" says how to begin', async () => {
    expect(await cli.run(['follow', 'last'])).toEqual({
      stdout: '',
      stderr: 'runlet: there are no runs yet; start one with: runlet ask "…"\n',
      status: 1,
    })
    expect(await cli.run(['runs'])).toEqual({ stdout: 'no runs\n', stderr: '', status: 0 })
  })

  test('runs is a table, newest first; filters hold', async () => {
    await ask('first\nline')
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
  })

  test('show tells state, messages, usage and times', async () => {
    await ask('hello \x1b[2J')
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
  })

  test('prune forgets ended runs', async () => {
    await ask('first')
    const { stdout, status } = await cli.run(['prune', '--max-size', '0'])
    expect(stdout).toMatch(/^forgot 1 runs, \d+ bytes\n$/)
    expect(status).toBe(0)
    expect(await cli.run(['follow', 'last', '--json'])).toMatchObject({ stdout: '', status: 1 })
  })
})

describe('configuration', () => {
  test('a mistake in the file is told with line, column and fix', async () => {
    configure('default_model = "sim"\n\n[aliases]\nfast = 1\n')
    expect(await cli.run(['ask', 'hi'])).toEqual({
      stdout: '',
      stderr: `runlet: ${cli.home}/runlet.toml:4:1: aliases.fast must be a string\n`,
      status: 2,
    })
    configure('default_model = "sim\n')
    expect((await cli.run(['ask', 'hi'])).stderr).toBe(
      `runlet: ${cli.home}/runlet.toml:1:21: this string is not closed in: default_model = "sim\n`,
    )
  })

  test('aliases, specialists and the default model work', async () => {
    configure(
      'default_model = "parrot"\n[aliases]\nparrot = "sim/echo"\n[specialists.apollo]\nmodel = "sim/echo"\nsystem = "You are Apollo."\n',
    )
    expect((await cli.run(['ask', 'by default'])).stdout).toBe('by default\n')
    expect((await cli.run(['ask', '--model', 'apollo', 'named'])).stdout).toBe('named\n')
    const { stdout } = await cli.run(['models'])
    expect(stdout.split('\n').slice(-3)).toEqual(['parrot -> sim/echo', 'apollo -> sim/echo', ''])
  })

  test('an API that does not exist is named where it is used, with its line', async () => {
    configure('[providers.box]\napi = "olama"\n')
    const { stderr, status } = await cli.run(['ask', '--model', 'box/x', 'hi'])
    expect(stderr).toBe(`runlet: ${cli.home}/runlet.toml:2:1: there is no API "olama"; did you mean "ollama"?\n`)
    expect(status).toBe(1)
    expect((await cli.run(['ask', '--model', 'sim/echo', 'others work'])).stdout).toBe('others work\n')
  })

  test('a key that the file asks for and the environment lacks is named', async () => {
    configure('[providers.box]\nbase_url = "http://127.0.0.1:9"\napi_key_env = "BOX_KEY"\n')
    const { stderr, status } = await cli.run(['ask', '--model', 'box/x', 'hi'])
    expect(stderr).toBe(
      'runlet: box needs a key, and BOX_KEY is not set where Runlet runs. Set it and try again: export BOX_KEY=…\n',
    )
    expect(status).toBe(1)
  })

  test('a stranger’s folder names no address until it is trusted, and again not when it changed', async () => {
    const cwd = join(cli.home, 'project')
    mkdirSync(cwd)
    configure('[providers.box]\nbase_url = "http://127.0.0.1:9"\n', cwd)
    const refused = await cli.run(['ask', '--model', 'sim/echo', 'hi'], { cwd })
    expect(refused).toEqual({
      stdout: '',
      stderr: `runlet: ${cwd}/runlet.toml:2:1: providers.box.base_url decides where requests and keys go, and you have not trusted this folder. Read the file, then run: runlet trust\n`,
      status: 1,
    })
    expect(await cli.run(['trust'], { cwd })).toEqual({
      stdout: `trusted, as it is: ${cwd}/runlet.toml\n  providers.box.base_url = http://127.0.0.1:9\n`,
      stderr: '',
      status: 0,
    })
    expect((await cli.run(['ask', '--model', 'sim/echo', 'hi'], { cwd })).stdout).toBe('hi\n')
    configure('[providers.box]\nbase_url = "http://evil.example"\n', cwd)
    expect((await cli.run(['ask', '--model', 'sim/echo', 'hi'], { cwd })).stderr).toContain('the file changed')
    expect((await cli.run(['trust', '--remove', cwd])).stdout).toBe(`no longer trusted: ${cwd}\n`)
    expect(await cli.run(['trust', cli.home])).toMatchObject({ status: 1, stdout: '' })
  })
})

describe('stores that cannot be used', () => {
  const ask = () => cli.run(['ask', '--model', 'sim/echo', 'hi'])

  test('a file that is no database is left as it is', async () => {
    writeFileSync(database(), 'x'.repeat(5000))
    expect(await ask()).toMatchObject({
      stdout: '',
      stderr: `runlet: ${database()} is not a database, so runs cannot be kept in it; it was left as it is. Name another file\n`,
      status: 2,
    })
    expect(readFileSync(database(), 'utf8')).toBe('x'.repeat(5000))
  })

  test('a store of a later version is left as it is', async () => {
    await ask()
    const db = new DatabaseSync(database())
    db.exec('PRAGMA user_version = 99')
    db.close()
    const { stderr, status } = await ask()
    expect(stderr).toMatch(
      /^runlet: .+ was written by a later Runlet \(format 99; .+Update Runlet, or name another file\n$/,
    )
    expect(status).toBe(1)
  })

  test('a store that another program keeps locked', async () => {
    await ask()
    const db = new DatabaseSync(database())
    db.exec('BEGIN EXCLUSIVE')
    const { stderr, stdout, status } = await ask()
    db.exec('ROLLBACK')
    db.close()
    expect(stderr).toMatch(/^runlet: another program keeps .+ locked; close what has it open/)
    expect([stdout, status]).toEqual(['', 1])
  })

  test('a folder that cannot be made', async () => {
    writeFileSync(join(cli.home, 'file'), '')
    const { stderr, status } = await cli.run([
      'ask',
      '--model',
      'sim/echo',
      '--store',
      join(cli.home, 'file', 'x.db'),
      'hi',
    ])
    expect(stderr).toMatch(/^runlet: .+x\.db cannot be opened for writing\./)
    expect(status).toBe(1)
  })

  test('memory: keeps nothing', async () => {
    expect((await cli.run(['ask', '--store', 'memory:', '--model', 'sim/echo', 'hi'])).stdout).toBe('hi\n')
    expect(await cli.runs()).toEqual([])
  })
})

describe('doctor', () => {
  const states = async (...args: string[]) => {
    const { stdout, status } = await cli.run(['doctor', '--json', ...args])
    const { ok, findings } = JSON.parse(stdout)
    return {
      ok,
      status,
      states: Object.fromEntries(findings.map(({ name, state }: Record<string, string>) => [name, state])),
    }
  }
  const healthy = {
    node: 'ok',
    home: 'ok',
    config: 'absent',
    store: 'ok',
    token: 'ok',
    daemon: 'absent',
    openai: 'absent',
  }

  test('a fresh home lacks nothing that is needed', async () => {
    const { OLLAMA_HOST: _, ...unset } = { OLLAMA_HOST: '' }
    expect(await cli.run(['doctor'], { env: { ...unset, OLLAMA_HOST: '' } })).toMatchObject({ stderr: '', status: 0 })
  })

  test('a provider that was configured and does not answer is broken, with the fix', async () => {
    expect(await states()).toEqual({
      ok: false,
      status: 1,
      states: { ...healthy, ollama: 'broken', model: 'warning' },
    })
    const { stdout } = await cli.run(['doctor'])
    expect(stdout).toMatch(
      /\n✗ ollama +Ollama is not reachable at http:\/\/127\.0\.0\.1:9; start it with `ollama serve`/,
    )
  })

  test('a faulty file and a foreign store are broken', async () => {
    configure('x = 1')
    writeFileSync(database(), 'x'.repeat(5000))
    expect((await states()).states).toMatchObject({ config: 'broken', store: 'broken', token: 'ok' })
  })

  test('a token that others can read is broken', async () => {
    await cli.run(['doctor'])
    execFileSync('chmod', ['644', join(cli.home, 'token')])
    expect((await states()).states).toMatchObject({ token: 'broken' })
  })

  test('--through watches a stream arrive, and notices a hop that collects it', async () => {
    const { url } = await cli.serve()
    const through = await cli.run(['doctor', '--through'])
    expect(through.stdout).toMatch(/\n✓ stream +\d+ events in \d+ reads from http:\S+, none held back/)
    const proxy = await collectingProxy(url)
    const held = await cli.run(['doctor', '--through', proxy.url])
    await proxy.close()
    expect(held.stdout).toMatch(
      /\n✗ stream +\d+ events in \d+ reads from http:\S+, held back by up to .+: something on the way collects the stream; the answer says via: 1\.1 hoarder\n/,
    )
    expect(held.status).toBe(1)
  })
})

/** A proxy as they stand in front of servers: it sends an answer on when it has the whole of it. */
async function collectingProxy(target: string): Promise<{ url: string; close(): Promise<void> }> {
  const { createServer } = await import('node:http')
  const server = createServer(async (request, response) => {
    const body = request.method === 'POST' ? { body: await bytesOf(request) } : {}
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers
    const answer = await fetch(target + request.url, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...body,
    })
    const whole = Buffer.from(await answer.arrayBuffer())
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '', via: '1.1 hoarder' })
    response.end(whole)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}

async function bytesOf(request: AsyncIterable<Buffer>): Promise<Buffer<ArrayBuffer>> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  return Buffer.concat(pieces)
}

describe('on a terminal', () => {
  /** `script` gives a program a terminal. */
  const hasScript = (() => {
    try {
      execFileSync('script', ['--version'])
      return true
    } catch {
      return false
    }
  })()
  const onTerminal = (args: string, env: Record<string, string> = {}) =>
    cli.shell(`script -qec "'${process.execPath}' '${main}' ${args}" /dev/null < /dev/null`, {
      env: { TERM: 'xterm', PROMPT: '\x1b]0;owned\x07 \x1b[31mred \u202e', ...env },
    })

  test.skipIf(!hasScript)('the model’s text only prints, and the summary says how to go on', async () => {
    const { stdout } = await onTerminal('ask --no-stdin --model sim/echo \\"$PROMPT\\"')
    const [answer, ...rest] = stdout.replaceAll('\r\n', '\n').split('\n')
    expect(answer).toBe('␛]0;owned␇ ␛[31mred \\u202e')
    // oxlint-disable-next-line no-control-regex
    const words = rest.join('\n').replaceAll(/\x1b\[\d+m/g, '')
    expect(words).toMatch(/^\nrun [0-9a-f-]{36} · first token \S+.*\ngo on: node .+ ask --session [0-9a-f-]{36} "…"\n$/)
  })

  test.skipIf(!hasScript)('NO_COLOR leaves nothing but text', async () => {
    const { stdout } = await onTerminal('ask --no-stdin --model sim/echo hi', { NO_COLOR: '1' })
    expect(stdout).not.toContain('\x1b')
  })
})
