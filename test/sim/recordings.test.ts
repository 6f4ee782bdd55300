import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ollama } from 'ollama'
import OpenAI from 'openai'
import { afterAll, describe, expect, test } from 'vitest'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { readFolder } from '../../src/sim/recordings.ts'
import { parseTimed, recordStream } from '../../src/sim/timed.ts'
import { ask } from './raw.ts'
import { haveShared, ownFixtures, sharedFixtures, stage } from './stage.ts'

const { start } = stage()

const paths = {
  'openai-chat': '/v1/chat/completions',
  'openai-completions': '/v1/completions',
  'openai-responses': '/v1/responses',
  anthropic: '/v1/messages',
  llamacpp: '/completion',
  ollama: '/api/chat',
} as const
const messages = [{ role: 'user', content: 'Hi' }]

describe('the project’s own folder', () => {
  test('is listed with the API of each stream, which the stream itself tells', async () => {
    const { recordings, scripts } = await readFolder(ownFixtures)
    expect(recordings.map(({ name, ending, framing, kind }) => [name, ending, framing, kind])).toEqual([
      ['chunks', '.chunks.txt', 'sse', 'openai-chat'],
      ['foreign', '.sse', 'sse', undefined],
      ['messages', '.chunks.txt', 'sse', 'anthropic'],
      ['nested/crlf', '.sse', 'sse', 'openai-chat'],
      ['nested/lines', '.ndjson', 'lines', 'ollama'],
      ['timed', '.timed.ndjson', 'lines', 'ollama'],
    ])
    expect([...scripts.keys()]).toEqual(['thinker'])
  })

  const file = (name: string) => readFile(join(ownFixtures, name), 'utf8')
  const lines = async (name: string) => (await file(name)).split('\n').filter((line) => line !== '')
  const cases: [name: string, path: string, body: () => Promise<string>][] = [
    ['nested/crlf', paths['openai-chat'], () => file('nested/crlf.sse')],
    ['nested/lines', paths.ollama, () => file('nested/lines.ndjson')],
    ['nested/lines', '/api/generate', () => file('nested/lines.ndjson')],
    ['timed', paths.ollama, () => file('nested/lines.ndjson')],
    [
      'chunks',
      paths['openai-chat'],
      async () => (await lines('chunks.chunks.txt')).map((line) => `data: ${line}\n\n`).join('') + 'data: [DONE]\n\n',
    ],
    [
      'messages',
      paths.anthropic,
      async () =>
        (await lines('messages.chunks.txt'))
          .map((line) => `event: ${JSON.parse(line).type}\ndata: ${line}\n\n`)
          .join(''),
    ],
    ['foreign', paths['openai-chat'], () => file('foreign.sse')],
    ['foreign', paths['openai-responses'], () => file('foreign.sse')],
  ]
  for (const [model, path, body] of cases) {
    test(`${model} comes back byte for byte over ${path}`, async () => {
      const sim = await start({ dirs: [ownFixtures] })
      const answer = await ask(sim.port, { path, body: { model, stream: true, messages } })
      expect([answer.status, answer.whole, answer.body.toString()]).toEqual([200, true, await body()])
    })
  }

  test('a recording of another API is refused with the right route', async () => {
    const sim = await start({ dirs: [ownFixtures] })
    const wrong = await ask(sim.port, {
      path: paths['openai-chat'],
      body: { model: 'nested/lines', stream: true, messages },
    })
    expect([wrong.status, JSON.parse(wrong.body.toString()).error]).toEqual([
      400,
      {
        message: 'the model nested/lines is not played here; ask for it at POST /api/chat or POST /api/generate',
        type: 'invalid_request_error',
        param: null,
        code: 'wrong_route',
      },
    ])
    const own = await ask(sim.port, { path: paths.anthropic, body: { model: 'echo', stream: true, messages } })
    expect([own.status, JSON.parse(own.body.toString()).error.message]).toEqual([
      400,
      'the model echo is not played here; ask for it at POST /v1/chat/completions or POST /api/chat or POST /api/generate',
    ])
  })

  test('a recorded stream is not given whole', async () => {
    const sim = await start({ dirs: [ownFixtures] })
    const answer = await ask(sim.port, { path: paths['openai-chat'], body: { model: 'chunks', messages } })
    expect([answer.status, JSON.parse(answer.body.toString()).error.code]).toEqual([400, 'recording_is_stream'])
  })

  test('faults harm recordings too, each at its own kind of frame', async () => {
    const sim = await start({ dirs: [ownFixtures] })
    const crlf = await file('nested/crlf.sse')
    const play = async (faults: string) =>
      (
        await ask(sim.port, {
          path: paths['openai-chat'],
          body: { model: `nested/crlf?${faults}`, stream: true, messages },
        })
      ).body.toString()
    expect(await play('cut=50')).toBe(crlf.slice(0, 50))
    expect(await play('no-done')).toBe(crlf.replace('data: [DONE]\r\n\r\n', ''))
    expect(await play('malformed=2')).toBe(crlf.replace(': ping\r\n\r\n', 'data: {"\r\n\r\n'))
    expect(await play('error=2')).toMatch(/: ping\r\n\r\ndata: \{"error":\{[^\n]+\}\}\n\n$/)
  })

  test('a script is spelled for both APIs', async () => {
    const sim = await start({ dirs: [ownFixtures], tokensPerSecond: Number.POSITIVE_INFINITY })
    const openai = new OpenAI({ baseURL: `${sim.url}/v1`, apiKey: 'none', maxRetries: 0 })
    const { choices, usage } = await openai.chat.completions
      .stream({
        model: 'thinker',
        messages: [{ role: 'user', content: 'Hi' }],
        stream_options: { include_usage: true },
      })
      .finalChatCompletion()
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: 'Hello',
        tool_calls: [{ id: 'call_x', function: { name: 'current_time', arguments: '{"zone":"UTC"}' } }],
      },
    })
    expect(usage).toMatchObject({ prompt_tokens: 11, completion_tokens: 22, total_tokens: 33 })
    const { message, eval_count } = await new Ollama({ host: sim.url }).chat({ model: 'thinker', messages })
    expect([message.thinking, message.content, message.tool_calls, eval_count]).toEqual([
      'Hm.',
      'Hello',
      [{ id: 'call_x', function: { index: 0, name: 'current_time', arguments: { zone: 'UTC' } } }],
      22,
    ])
  })
})

describe('a folder with mistakes', () => {
  const made: string[] = []
  afterAll(() => Promise.all(made.map((folder) => rm(folder, { recursive: true }))))
  const folder = async (files: Record<string, string>) => {
    const path = await mkdtemp(join(tmpdir(), 'runlet-sim-'))
    made.push(path)
    for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
    return path
  }
  const chunk = '{"object":"chat.completion.chunk"}'

  const cases: [name: string, files: Record<string, string>, reason: string, message: RegExp][] = [
    [
      'two files of one model',
      { 'a.sse': `data: ${chunk}\n\n`, 'a.chunks.txt': chunk },
      'recording_twice',
      /a\.chunks\.txt and .+a\.sse would both be the model a/,
    ],
    ['a broken script', { 'a.script.json': '{}' }, 'bad_script', /a\.script\.json is not a script/],
    [
      'a timed recording that is none',
      { 'a.timed.ndjson': '{"t_ms":0,"text":"x"}\n{"t_ms":-1,"text":"x"}\n' },
      'bad_recording',
      /line 2/,
    ],
  ]
  for (const [name, files, reason, message] of cases) {
    test(`${name}: the simulator does not start, and says why`, async () => {
      await expect(start({ dirs: [await folder(files)] })).rejects.toMatchObject({
        reason,
        message: expect.stringMatching(message),
      })
    })
  }

  test('a folder that is not there', async () => {
    const missing = join(await folder({}), 'missing')
    await expect(start({ dirs: [missing] })).rejects.toMatchObject({ code: 'invalid_request', reason: 'bad_folder' })
  })

  test('one name may stand for two APIs', async () => {
    const line = '{"message":{"content":"x"},"done":true}\n'
    const sim = await start({ dirs: [await folder({ 'a.sse': `data: ${chunk}\n\n`, 'a.ndjson': line })] })
    const play = async (path: string) =>
      (await ask(sim.port, { path, body: { model: 'a', stream: true, messages } })).body.toString()
    expect([await play(paths['openai-chat']), await play(paths.ollama)]).toEqual([`data: ${chunk}\n\n`, line])
  })
})

describe('recording', () => {
  test('keeps bytes and times, whatever the chunks are', async () => {
    const clock = fakeClock()
    const chunks = [
      Buffer.from('data: Gr'),
      Buffer.from([0xc3]),
      Buffer.from([0xbc]),
      Buffer.from('ße\n\n\uFFFD\u2028'),
    ]
    async function* body() {
      for (const chunk of chunks) {
        yield chunk
        await clock.advance(25)
      }
    }
    let file = ''
    for await (const line of recordStream(body(), clock)) file += line
    expect(parseTimed(file, 'x')).toEqual(chunks.map((bytes, i) => ({ at: i * 25, bytes })))
    expect(file.split('\n')[0]).toBe('{"t_ms":0,"text":"data: Gr"}')
  })
})

describe.skipIf(!haveShared)('every recording under shared/fixtures', () => {
  /** The bytes as MANIFEST.md says that they are to be framed, made here without the simulator's code. */
  async function expectedBytes(name: string, kind: string | undefined, ending: string): Promise<Buffer> {
    const bytes = await readFile(join(sharedFixtures, name + ending))
    if (ending !== '.chunks.txt') return bytes
    const named = kind === 'anthropic' || kind === 'openai-responses'
    const frames = bytes
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => (named ? `event: ${/"type":"([^"]+)"/.exec(line)![1]}\n` : '') + `data: ${line}\n\n`)
    return Buffer.from(frames.join('') + (named ? '' : 'data: [DONE]\n\n'))
  }

  test('comes back byte for byte over its own API', async () => {
    const { recordings } = await readFolder(sharedFixtures)
    const sim = await start({ dirs: [sharedFixtures] })
    expect(recordings.length).toBeGreaterThan(50)
    for (const { name, kind, ending, framing } of recordings) {
      const path = kind ? paths[kind] : framing === 'sse' ? paths['openai-chat'] : paths.ollama
      const answer = await ask(sim.port, { path, body: { model: name, stream: true, messages } })
      expect([answer.status, answer.whole], name).toEqual([200, true])
      expect(answer.body.equals(await expectedBytes(name, kind, ending)), name).toBe(true)
    }
  })

  test('is recognised: what stands in a folder of one API is of that API', async () => {
    const { recordings } = await readFolder(sharedFixtures)
    const kinds = (folder: string) =>
      recordings
        .filter(({ name }) => name.startsWith(`${folder}/`))
        .map(({ name, kind }) => [name.slice(folder.length + 1), kind])
    for (const [folder, kind, others] of [
      ['openai-chat', 'openai-chat', { 'openai-completion-text': 'openai-completions' }],
      ['openai-compat', 'openai-chat', { 'vllm-completions': 'openai-completions' }],
      ['openai-responses', 'openai-responses', {}],
      ['anthropic', 'anthropic', {}],
      ['ollama', 'ollama', {}],
      ['ai-sdk', undefined, {}],
    ] as const) {
      const found = kinds(folder)
      expect(found.length).toBeGreaterThan(0)
      expect(found).toEqual(found.map(([name]) => [name, others[name as keyof typeof others] ?? kind]))
    }
  })

  test('is read by the official clients as official-clients.json says', async () => {
    const oracle = JSON.parse(await readFile(join(sharedFixtures, 'official-clients.json'), 'utf8')).results
    const { recordings } = await readFolder(sharedFixtures)
    const sim = await start({ dirs: [sharedFixtures] })
    const openai = new OpenAI({ baseURL: `${sim.url}/v1`, apiKey: 'none', maxRetries: 0 })
    let compared = 0
    for (const { name, kind, ending } of recordings) {
      const known = oracle[name + ending]
      if (!known || kind !== 'openai-chat') continue
      const seen: { chunks: number; error?: string } = { chunks: 0 }
      try {
        const stream = await openai.chat.completions.create({
          model: name,
          messages: [{ role: 'user', content: 'Hi' }],
          stream: true,
        })
        for await (const _ of stream) seen.chunks++
      } catch (error) {
        seen.error = `APIError: ${(error as Error).message}`
      }
      expect(seen, name).toEqual(known)
      compared++
    }
    for (const { name, kind, ending } of recordings) {
      const known = oracle[name + ending]
      if (!known || kind !== 'ollama') continue
      const seen: { lines: number; text?: string; error?: string } = { lines: 0 }
      let text = ''
      try {
        for await (const part of await new Ollama({ host: sim.url }).chat({ model: name, messages, stream: true })) {
          seen.lines++
          text += part.message?.content ?? (part as unknown as { response: string }).response ?? ''
        }
        seen.text = text.slice(0, 60)
      } catch (error) {
        seen.error = (error as Error).message
      }
      expect(seen, name).toEqual(known)
      compared++
    }
    expect(compared).toBeGreaterThan(20)
  })
})
