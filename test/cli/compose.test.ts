import { afterEach, describe, expect, test } from 'vitest'
import { compose, providersOf, type Parts } from '../../src/cli/compose.ts'
import { loadConfig, type Config } from '../../src/config/load.ts'
import { placesOf } from '../../src/config/places.ts'
import { Batch } from '../../src/core/batch.ts'
import type { RunEvent } from '../../src/core/event.ts'
import { createRuntime } from '../../src/engine/runtime.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { loopback, type Loopback } from '../../src/testing/loopback.ts'
import { heard, textIn } from '../wrappers/lab.ts'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** The configuration that a file of the user's own says. */
async function configured(file: string): Promise<Config> {
  const root = mkdtempSync(join(tmpdir(), 'runlet-compose-'))
  closing.push(() => rmSync(root, { recursive: true }))
  const places = placesOf({ env: { RUNLET_HOME: root }, home: root, cwd: root })
  writeFileSync(places.config, file)
  return loadConfig({ cwd: root, places, env: {} })
}

async function server(handler: Parameters<typeof loopback>[0]): Promise<Loopback> {
  const made = await loopback(handler)
  closing.push(() => made.close())
  return made
}

const frame = (delta: object, finish_reason: string | null = null) =>
  `data: ${JSON.stringify({ model: 'real-name', choices: [{ index: 0, delta, finish_reason }] })}\n\n`

/** Says these words, piece by piece. */
const saying =
  (...pieces: string[]): Parameters<typeof loopback>[0] =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(`${pieces.map((content) => frame({ content })).join('')}${frame({}, 'stop')}data: [DONE]\n\n`)
  }

const refusing =
  (status: number, body = '{}'): Parameters<typeof loopback>[0] =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  }

/** All events of a run of one prompt, after its beginning. */
async function story(parts: Parts, model: string): Promise<RunEvent[]> {
  const runtime = createRuntime({ ...parts.powers, log: memoryLog() })
  const run = await runtime.start({ model, prompt: 'Hello' })
  const events: RunEvent[] = []
  for await (const record of run.read())
    if (record instanceof Batch) events.push(...record.entries.map(({ event }) => event))
  await runtime.close()
  return events
}

describe('an alias that lists several models', () => {
  test('is a provider of its name: the next one answers where one is not there, and the run tells who did', async () => {
    const busy = await server(refusing(503))
    const fine = await server(saying('Hi'))
    const config = await configured(
      `[aliases]\nfast = ["one/m", "two/n/o"]\n[providers.one]\nbase_url = "${busy.url}"\n[providers.two]\nbase_url = "${fine.url}"\n`,
    )
    const parts = compose(config)
    const [start, , , ...rest] = await story(parts, 'fast')
    expect(start).toMatchObject({ provider: 'fast', model: 'one/m', capabilities: ['tools', 'reasoning', 'usage'] })
    expect(rest).toEqual([
      {
        type: 'warning',
        code: 'provider_fallback',
        message: 'one/m failed with provider_unavailable (http_503); asking two/n/o',
        cause: 'provider_unavailable',
      },
      { type: 'text.delta', step: 1, text: 'Hi' },
      expect.objectContaining({ type: 'step.end', model: 'two/real-name' }),
      expect.objectContaining({ type: 'turn.end' }),
      expect.objectContaining({ type: 'finish' }),
    ])
    expect([busy.requests.length, fine.requests.length]).toEqual([1, 1])
    await parts.close()
  })

  test('stands beside aliases of one model', async () => {
    const { powers } = compose(await configured('[aliases]\nfast = ["openai/a", "sim/echo"]\nslow = "openai/b"\n'))
    expect(powers.aliases).toEqual({ sim: 'sim/hello', fast: 'fast/openai/a', slow: 'openai/b' })
    expect(Object.keys(powers.providers)).toEqual(['openai', 'ollama', 'sim', 'fast'])
  })
})

describe('what a configuration puts around a provider', () => {
  test('limits requests, redacts, and keeps to a budget, in this order', async () => {
    const at = await server(saying('Mail me', '@example.org', ' now '))
    const config = await configured(
      `[providers.box]\nbase_url = "${at.url}"\nrate_limit = { requests_per_minute = 1, max_wait_ms = 1 }\nbudget = { session_tokens = 7 }\n` +
        `[[providers.box.safety]]\ncategory = "mail"\npattern = '\\w+@\\w+\\.org'\naction = "redact"\n`,
    )
    const box = providersOf(config)['box']!
    const { events } = await heard(box)
    expect(textIn(events)).toBe('Mail [redacted] now ')
    expect(events.filter(({ type }) => type === 'safety')).toEqual([
      { type: 'safety', category: 'mail', action: 'redact' },
    ])
    // 2 tokens asked and 6 answered: whoever comes next is not asked, and takes no place under the rate limit.
    expect((await heard(box)).error).toBe('forbidden budget_exceeded')
    expect((await heard(box, {}, { caller: { sessionId: 'x', runId: 'y', requestId: 'z' } })).error).toBe(
      'rate_limited queue_timeout',
    )
    expect(at.requests.length).toBe(1)
  })

  test('counts the budget of all over all of them', async () => {
    const at = await server(saying('Hi there, you all.'))
    const config = await configured(
      `[providers.a]\nbase_url = "${at.url}"\n[providers.b]\nbase_url = "${at.url}"\n[budget]\nsession_tokens = 7\n`,
    )
    const { a, b } = providersOf(config)
    expect([(await heard(a!)).error, (await heard(b!)).error]).toEqual([undefined, 'forbidden budget_exceeded'])
  })

  test('sends its headers and speaks its dialect', async () => {
    const at = await server(saying('Hi'))
    const config = await configured(
      `[providers.box]\nbase_url = "${at.url}"\nheaders = { x-title = "T" }\nmax_tokens_field = "max_completion_tokens"\nask_usage = false\n`,
    )
    await heard(providersOf(config)['box']!, { options: { max_tokens: 5 } })
    const [sent] = at.requests
    expect(sent?.headers['x-title']).toBe('T')
    expect(JSON.parse(sent?.body ?? '')).toEqual({
      model: 'scripted',
      messages: [{ role: 'user', content: 'Hello' }],
      stream: true,
      max_completion_tokens: 5,
    })
  })

  test('a header whose variable is not set is told when the provider is used', async () => {
    const config = await configured(
      '[providers.box]\nbase_url = "http://127.0.0.1:9"\nheaders = { api-key = { env = "BOX" } }\n',
    )
    expect((await heard(providersOf(config)['box']!)).error).toBe('unauthorized key_missing')
  })

  test('a rule that cannot be used is told at once, with its place', async () => {
    const config = await configured(
      '[[providers.box.safety]]\ncategory = "a"\nwords = ["x"]\naction = "stop"\n[[providers.box.safety]]\ncategory = "b"\npattern = "(a"\naction = "stop"\n',
    )
    expect(() => providersOf(config)).toThrow(
      expect.objectContaining({
        reason: 'config_invalid',
        message: expect.stringMatching(
          /runlet\.toml:7:1: this rule cannot be used: "\(a", at character 1: this group is not closed$/,
        ) as string,
      }),
    )
  })
})

test('a model that a server does not know is told with the names of both', async () => {
  const at = await server(refusing(404, '{"error":{"code":"model_not_found","message":"no"}}'))
  const config = await configured(`[providers.box]\nbase_url = "${at.url}"\n`)
  const { port } = new URL(at.url)
  const said = providersOf(config)['box']!.stream(
    { model: 'big', messages: [], tools: [], options: {} },
    { signal: new AbortController().signal },
  )
  await expect(said[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: 'not_found',
    reason: 'model_not_found',
    message: `box (127.0.0.1:${port}) does not know the model big; see what there is with \`runlet models\` (HTTP 404)`,
  })
})

test('the limits and rules that the documentation shows can be used as they stand', async () => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  const examples = [...page.matchAll(/^```toml\n(.*?)^```/gms)].map(([, example]) => example!)
  expect(examples.length).toBe(2)
  for (const example of examples) {
    const config = await configured(example)
    expect(Object.keys(compose(config).powers.providers)).toContain('openai')
  }
})
