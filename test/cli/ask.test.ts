import { expect, test } from 'vitest'
import { withCli } from './runlet.ts'

test.concurrent(
  'it prints the answer and nothing else',
  withCli(async (cli) => {
    expect(await cli.run(['ask', '--model', 'sim/echo', 'hello', 'world'])).toEqual({
      stdout: 'hello world\n',
      stderr: '',
      status: 0,
    })
  }),
)

const prompts: [name: string, words: string[], input: string | Uint8Array, prompt: string][] = [
  ['words alone', ['Why?'], '', 'Why?'],
  ['stdin alone, without its last line end', [], 'from a file\n', 'from a file'],
  ['both, with a blank line between', ['Explain this:'], 'a\n\nb\n', 'Explain this:\n\na\n\nb'],
  ['an empty stdin', ['Why?'], '\n', 'Why?'],
  ['letters from everywhere', [], 'Grüße 世界 👩‍🚀', 'Grüße 世界 👩‍🚀'],
]
for (const [name, words, input, prompt] of prompts) {
  test.concurrent(
    `the prompt is ${name}`,
    withCli(async (cli) => {
      const { stdout, status } = await cli.run(['ask', '--model', 'sim/echo', '--json', ...words], { input })
      const turn = stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
        .find(({ type }) => type === 'turn.start')
      expect([turn.message.content, status]).toEqual([prompt, 0])
    }),
  )
}

test.concurrent(
  '--no-stdin leaves stdin alone',
  withCli(async (cli) => {
    const { stdout } = await cli.run(['ask', '--model', 'sim/echo', '--no-stdin', 'hello'], { input: 'not this' })
    expect(stdout).toBe('hello\n')
  }),
)

test.concurrent(
  'a pipe gets the model’s exact characters, far beyond what a pipe holds',
  withCli(async (cli) => {
    const input = `\x1b[31mred\x1b[0m\u202e ${'0123456789abcdef'.repeat(20_000)}`
    const { stdout, status } = await cli.run(['ask', '--model', 'sim/echo'], { input })
    expect(status).toBe(0)
    expect(stdout === `${input}\n`).toBe(true)
  }),
)

test.concurrent(
  'an answer that ends with a line feed gets no second one',
  withCli(async (cli) => {
    const { stdout } = await cli.run(['ask', '--model', 'sim/echo', 'a line\n'])
    expect(stdout).toBe('a line\n')
  }),
)

test.concurrent(
  'an answer without a word prints nothing',
  withCli(async (cli) => {
    expect(await cli.run(['ask', '--model', 'sim/empty', 'x'])).toEqual({ stdout: '', stderr: '', status: 0 })
  }),
)

const endings: [name: string, model: string, status: number, stderr: RegExp][] = [
  ['done', 'sim/echo', 0, /^$/],
  [
    'its token limit',
    'sim/length',
    3,
    /^runlet: the answer stops here because it reached its limit of tokens; allow more with --max-tokens\n$/,
  ],
  ['the content filter', 'sim/filter', 3, /^runlet: the answer stops here because the provider's filter/],
  ['a cut connection', 'sim/lorem-50?cut=2000', 1, /^runlet: .+\n$/],
  ['a reset connection', 'sim/lorem-50?cut=2000,rst', 1, /^runlet: .+\n$/],
  ['a stream without its end mark', 'sim/lorem-50?no-done,end=2000', 1, /^runlet: .+\n$/],
  ['a refused key', 'sim/echo?status=401', 1, /^runlet: .+\n$/],
  ['a model that is not there', 'sim/nothing', 1, /^runlet: .+\n$/],
]
for (const [name, model, status, stderr] of endings) {
  test.concurrent(
    `the exit status says how it ended: ${name} is ${status}`,
    withCli(async (cli) => {
      const result = await cli.run(['ask', '--model', model, 'hello'])
      expect(result.status).toBe(status)
      expect(result.stderr).toMatch(stderr)
      const [run] = await cli.runs()
      expect(run!.status).toBe(status === 1 ? 'failed' : 'completed')
    }),
  )
}

test.concurrent(
  'what came before a failure is printed, whole lines',
  withCli(async (cli) => {
    const { stdout, status } = await cli.run(['ask', '--model', 'sim/lorem-50?cut=2000', 'x'])
    expect(status).toBe(1)
    expect(stdout).toMatch(/^Lorem .+\n$/)
    const shown = await cli.run(['show', 'last', '--json'])
    expect(JSON.parse(shown.stdout).messages.at(-1).parts[0].text).toBe(stdout.slice(0, -1))
  }),
)

test.concurrent(
  'a reader that goes away ends the run, quietly',
  withCli(async (cli) => {
    const { stdout, stderr } = await cli.shell(
      `runlet ask --model 'sim/lorem-1000000?tps=20000' x | head -c 10; echo " \${PIPESTATUS[0]}"`,
    )
    expect([stdout, stderr]).toEqual(['Lorem elit 141\n', ''])
    const [run] = await cli.runs()
    expect(run).toMatchObject({ status: 'cancelled', finish_reason: 'cancelled' })
  }),
)

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test.concurrent(
    `${signal} cancels the run and keeps what was said`,
    withCli(async (cli) => {
      const asking = cli.start(['ask', '--model', 'sim/slow', 'hello'])
      await asking.said('Patience')
      asking.child.kill(signal)
      const { stdout, stderr, status } = await asking.done
      expect([status, stderr]).toEqual([130, ''])
      const shown = JSON.parse((await cli.run(['show', 'last', '--json'])).stdout)
      expect(shown).toMatchObject({ status: 'cancelled', finish_reason: 'cancelled' })
      expect(`${shown.messages.at(-1).parts[0].text}\n`).toBe(stdout)
    }),
  )
}

test.concurrent(
  'a terminal that closes stops nothing that the daemon makes',
  withCli(async (cli) => {
    await cli.serve()
    const asking = cli.start(['ask', '--model', 'sim/slow', 'hello'])
    await asking.said('Patience')
    asking.child.kill('SIGHUP')
    expect((await asking.done).status).toBe(129)
    expect(await cli.run(['follow', 'last'])).toMatchObject({ status: 0 })
    expect(await cli.runs()).toMatchObject([{ status: 'completed', finish_reason: 'stop' }])
  }),
)

test.concurrent(
  'a prompt of several megabytes comes back through the daemon',
  withCli(async (cli) => {
    await cli.serve()
    const { stderr, status } = await cli.run(['ask', '--model', 'sim/length', 'sum up'], {
      input: 'x\n'.repeat(1 << 20),
    })
    expect([status, stderr]).toEqual([3, expect.stringContaining('limit of tokens')])
  }),
)

test.concurrent(
  'two at once on one store do not disturb each other',
  withCli(async (cli) => {
    const results = await Promise.all(
      ['one', 'two'].map((word) => cli.run(['ask', '--model', 'sim/echo?tps=50', `${word} `.repeat(30).trim()])),
    )
    expect(results.map(({ stdout, status }) => [stdout.split(' ').length, status])).toEqual([
      [30, 0],
      [30, 0],
    ])
    expect((await cli.runs()).map(({ status }) => status)).toEqual(['completed', 'completed'])
  }),
)

test.concurrent(
  '--json prints the lines of the log',
  withCli(async (cli) => {
    const { stdout } = await cli.run(['ask', '--model', 'sim/echo', '--json', 'hello \u2028 world'])
    const types = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).type)
    expect(types.filter((type, i) => type !== types[i - 1])).toEqual([
      'start',
      'turn.start',
      'step.start',
      'text.delta',
      'step.end',
      'turn.end',
      'finish',
    ])
    expect((await cli.run(['follow', 'last', '--json'])).stdout).toBe(stdout)
  }),
)

test.concurrent(
  '--session goes on with a conversation and its model',
  withCli(async (cli) => {
    await cli.run(['ask', '--model', 'sim/echo', 'first'])
    const { stdout } = await cli.run(['ask', '--session', 'last', 'second'])
    expect(stdout).toBe('second\n')
    const [second, first] = await cli.runs()
    expect([second!.session_id, second!.model]).toEqual([first!.session_id, 'echo'])
  }),
)

test.concurrent(
  'tools are called, and told of on stderr',
  withCli(async (cli) => {
    const { stdout, stderr, status } = await cli.run(['ask', '--model', 'sim/tools', '--tool', 'current_time', 'When?'])
    expect(stderr).toBe('🔧 Executing current_time...\n✅ current_time completed\n')
    expect(stdout).toMatch(/^Let me look that up\.Here it is:\n\n- `current_time` says: .+\n$/)
    expect(status).toBe(0)
  }),
)

test.concurrent(
  'a tool that fails says why; the model goes on',
  withCli(async (cli) => {
    const { stderr, status } = await cli.run(['ask', '--model', 'sim/tools', '--tool', 'read_file', 'no/such/file.txt'])
    expect(stderr).toMatch(/^🔧 Executing read_file\.\.\.\n❌ read_file failed: .+\n$/)
    expect(status).toBe(0)
  }),
)

test.concurrent(
  '--tool all offers every tool in the box',
  withCli(async (cli) => {
    const { stderr } = await cli.run(['ask', '--model', 'sim/tools-parallel', '--tool', 'all', 'x'])
    const called = stderr.match(/Executing \w+/g)?.map((line) => line.slice(10))
    expect(called?.toSorted()).toEqual(['current_time', 'list_files', 'read_file', 'search_text'])
  }),
)

test.concurrent(
  '--quiet says nothing of tools',
  withCli(async (cli) => {
    const { stderr } = await cli.run(['ask', '--quiet', '--model', 'sim/tools', '--tool', 'current_time', 'When?'])
    expect(stderr).toBe('')
  }),
)

test.concurrent(
  '--reasoning shows the thoughts, on stderr only',
  withCli(async (cli) => {
    const without = await cli.run(['ask', '--model', 'sim/reasoning', 'abc'])
    const { stdout, stderr } = await cli.run(['ask', '--model', 'sim/reasoning', '--reasoning', 'abc'])
    expect(stdout).toBe(without.stdout)
    expect(without.stderr).toBe('')
    expect(stderr).toMatch(/^The user wrote "abc"\. .+\nA character is a code point here, not a byte\.\n\n$/)
  }),
)

test.concurrent(
  'options reach the model',
  withCli(async (cli) => {
    const { stdout, status } = await cli.run(['ask', '--model', 'sim/lorem', '--max-tokens', '3', 'x'])
    expect([stdout, status]).toEqual(['Lorem elit labore\n', 3])
  }),
)

const mistakes: [name: string, args: string[], status: number, stderr: RegExp][] = [
  [
    'an unknown provider',
    ['--model', 'nope/x', 'hi'],
    1,
    /^runlet: "nope\/x" names no model here; .*openai, ollama, sim/,
  ],
  [
    'a model without a provider',
    ['--model', 'gpt', 'hi'],
    1,
    /^runlet: "gpt" names no model here; write provider\/model/,
  ],
  [
    'a missing key',
    ['--model', 'openai/gpt-5-mini', 'hi'],
    1,
    /^runlet: openai needs a key, and OPENAI_API_KEY is not set .* export OPENAI_API_KEY=…\n$/,
  ],
  [
    'a provider that cannot be reached',
    ['--model', 'ollama/qwen3', 'hi'],
    1,
    /^(?:⚠ .+\n){2}runlet: Ollama is not reachable at http:\/\/127\.0\.0\.1:9; start it/,
  ],
  ['no model at all', ['hi'], 2, /^runlet: there is no model to ask: .*\n.*\n.*\n.* ask --model sim "hello" .*\n$/],
  [
    'an empty prompt',
    ['--model', 'sim', '  '],
    2,
    /^runlet: there is nothing to ask\. Give the prompt as an argument or on stdin, for example: /,
  ],
  ['an unknown tool', ['--model', 'sim', '--tool', 'rm', 'hi'], 2, /^runlet: there is no tool "rm"; available: /],
  ['an unknown session', ['--session', 'nope', 'hi'], 1, /^runlet: there are no runs yet/],
  ['an unknown flag', ['--modle', 'sim', 'hi'], 2, /^runlet: unknown option '--modle'; did you mean --model\?\n$/],
  [
    'a number that is none',
    ['--max-tokens', 'many', 'hi'],
    2,
    /^runlet: option '--max-tokens <n>' argument 'many' is invalid\. It must be a whole number, at least 1\.\n$/,
  ],
  ['a temperature out of range', ['--temperature', '3', 'hi'], 2, /It must be a number from 0 to 2\.\n$/],
  [
    '--detach without a daemon',
    ['--detach', '--model', 'sim', 'hi'],
    1,
    /^runlet: --detach leaves the run to a daemon, and no daemon runs\. Start one with: .* serve &\n$/,
  ],
  ['an unknown store', ['--store', 'redes:x', '--model', 'sim', 'hi'], 2, /^runlet: "redes:" is not a store; /],
]
for (const [name, args, status, stderr] of mistakes) {
  test.concurrent(
    `the mistake is named with its fix: ${name}`,
    withCli(async (cli) => {
      const result = await cli.run(['ask', ...args])
      expect(result.stderr).toMatch(stderr)
      expect([result.stdout, result.status]).toEqual(['', status])
    }),
  )
}

test.concurrent(
  'bytes that are no text are refused',
  withCli(async (cli) => {
    const { stderr, status } = await cli.run(['ask', '--model', 'sim'], { input: new Uint8Array([0xff, 0xfe, 0x41]) })
    expect([stderr, status]).toEqual(['runlet: stdin is not UTF-8 text; convert it first, for example with iconv\n', 2])
  }),
)

test.concurrent(
  'a full disk behind stdout is an error, not a silence',
  withCli(async (cli) => {
    const { stderr, stdout } = await cli.shell('runlet ask --model sim/echo hello > /dev/full; echo $?')
    expect(stdout).toBe('1\n')
    expect(stderr).toBe('runlet: the output cannot be written (ENOSPC); make room, or send it somewhere else\n')
  }),
)

test.concurrent(
  '--verbose tells the causes',
  withCli(async (cli) => {
    const { stderr } = await cli.run(['ask', '--verbose', '--model', 'openai/x', 'hi'], {
      env: { OPENAI_BASE_URL: 'http://127.0.0.1:9', OPENAI_API_KEY: 'sk-secret' },
    })
    expect(stderr).toMatch(/^(?:⚠ .+\n){2}runlet: .+\n {2}code network, reason \w+\n/)
    expect(stderr).not.toContain('sk-secret')
  }),
)
