import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { says, usage, type Script } from '../../../src/testing/scripted-provider.ts'
import { connect, settled } from './connected.ts'
import { held } from './held.ts'
import { ended, lab, type Lab } from './lab.ts'
import { rawRequest, type RawReader } from './raw-reader.ts'

type Line = Record<string, unknown> & { readonly type: string }

const line = (record: object) => `${JSON.stringify(record)}\n`
const start = line({ prompt: 'Count.' })
const steer = (text: string) => line({ type: 'steer', text })

/** A request body that is written while its answer is read. */
function pipe(): {
  readonly body: ReadableStream<Uint8Array>
  write(text: string | Uint8Array): void
  end(): void
  readonly gone: () => boolean
  /** Pieces that were written and not taken. */
  readonly waiting: () => number
} {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let gone = false
  const body = new ReadableStream<Uint8Array>({
    start: (made) => void (controller = made),
    cancel: () => void (gone = true),
  })
  return {
    body,
    write: (text) => controller.enqueue(typeof text === 'string' ? new TextEncoder().encode(text) : text),
    end: () => controller.close(),
    gone: () => gone,
    waiting: () => 1 - controller.desiredSize!,
  }
}

/** The records of an NDJSON answer, one at a time. */
async function* records(body: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let left = ''
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    const lines = (left + decoder.decode(chunk, { stream: true })).split('\n')
    left = lines.pop()!
    for (const one of lines) yield JSON.parse(one)
  }
}

async function until(answer: AsyncGenerator<Line>, type: string): Promise<Line> {
  for (;;) {
    const { done, value } = await answer.next()
    if (done) throw new Error(`the answer ended without ${type}`)
    if (value.type === type) return value
  }
}

async function rest(answer: AsyncGenerator<Line>): Promise<string[]> {
  const types: string[] = []
  for await (const { type } of answer) types.push(type)
  return types
}

const headers = { 'content-type': 'application/x-ndjson' }

function talk(l: Lab, more: Record<string, string> = {}) {
  const up = pipe()
  const response = l.ask('/v1/runs', {
    method: 'POST',
    headers: { ...headers, ...more },
    body: up.body,
    duplex: 'half',
  } as RequestInit)
  return { ...up, response }
}

/** What came of each line that was sent, by its number. */
async function outcomes(body: AsyncIterable<Uint8Array>): Promise<unknown[]> {
  const told: unknown[] = []
  for await (const record of records(body)) {
    if (record.type === 'input_accepted') told.push([record['line'], record['input']])
    if (record.type === 'input_error') told.push([record['line'], (record['error'] as { reason: string }).reason])
  }
  return told
}

describe('a start whose body goes on as lines', () => {
  test('takes messages while its answer streams', async () => {
    const { scripts, release } = held(says('Eins'), says('Zwei'))
    const l = lab({ scripts })
    const up = talk(l)
    up.write(start)
    const response = await up.response
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'application/x-ndjson; charset=utf-8',
    ])
    const answer = records(response.body!)
    expect((await until(answer, 'start'))['run_id']).toBe(response.headers.get('x-run-id'))
    up.write(line({ type: 'follow_up', text: 'And two?' }))
    expect(await until(answer, 'input_accepted')).toEqual({
      type: 'input_accepted',
      ts: 1_705_314_600_000,
      line: 2,
      input: 'follow_up',
    })
    up.write(steer('In German.'))
    await until(answer, 'input_accepted')
    up.end()
    release()
    const turns: unknown[] = []
    for await (const record of answer) {
      if (record.type === 'turn.start') turns.push([record['kind'], (record['message'] as { content: string }).content])
      if (record.type === 'finish') turns.push(record['finish_reason'])
    }
    expect(turns).toEqual([['steer', 'In German.'], ['follow_up', 'And two?'], 'stop'])
    expect(l.provider.requests).toHaveLength(3)
  })

  test('brings the results of the caller’s own tools', async () => {
    const call = { type: 'tool_call', call_id: 'c1', name: 'look', input: { at: 'it' } } as const
    const asks: Script = [
      [{ type: 'start', model: 'm' }],
      [call],
      [{ type: 'done', reason: 'tool_calls', usage: usage(1, 1) }],
    ]
    const l = lab({ scripts: [asks, says('Seen.')] })
    const up = talk(l)
    const caller_tools = [{ name: 'look', description: 'Looks.', parameters: { type: 'object' } }]
    up.write(line({ prompt: 'Look!', caller_tools, caller_results: 'answer' }))
    const answer = records((await up.response).body!)
    const { call_id } = await until(answer, 'tool.call')
    up.write(line({ type: 'tool_result', call_id, result: { seen: 'it' } }))
    expect(await until(answer, 'tool.result')).toMatchObject({ tool_result: { seen: 'it' }, is_error: false })
    expect((await rest(answer)).slice(-2)).toEqual(['finish', 'done'])
    // What may still come is of no use to anyone.
    expect(up.gone()).toBe(true)
  })

  test('cancels, and the answer ends with that', async () => {
    const { scripts } = held()
    const l = lab({ scripts })
    const up = talk(l)
    up.write(start)
    const answer = records((await up.response).body!)
    await until(answer, 'start')
    up.write(line({ type: 'cancel', reason: 'enough' }))
    expect(await until(answer, 'finish')).toMatchObject({ finish_reason: 'cancelled' })
    await rest(answer)
    expect([l.provider.active, l.server.readers, l.readings()]).toEqual([0, 0, 0])
  })

  test('tells of every line that came, behind a cancel too, before its end mark', async () => {
    const { scripts } = held()
    const l = lab({ scripts })
    const up = talk(l)
    up.write(start)
    const answer = records((await up.response).body!)
    await until(answer, 'start')
    // The body stays open: nothing else is to be waited for.
    up.write(line({ type: 'cancel' }) + steer('Late.') + 'nonsense\n')
    up.write(line({ type: 'follow_up', text: 'Later.' }) + '{"type":')
    await until(answer, 'finish')
    const told: unknown[] = []
    for await (const { type, line: number, input, error } of answer) {
      told.push([type, number, input ?? (error as { reason: string } | undefined)?.reason])
    }
    expect(told).toEqual([
      ['input_accepted', 2, 'cancel'],
      ['input_error', 3, 'no_active_run'],
      ['input_error', 4, 'bad_line'],
      ['input_error', 5, 'no_active_run'],
      ['input_error', 6, 'truncated_line'],
      ['done', undefined, undefined],
    ])
    expect([l.server.readers, l.readings(), up.gone()]).toEqual([0, 0, true])
  })

  test('is not cancelled by the end of its body, and not by a line that is no input', async () => {
    const { scripts, release } = held()
    const l = lab({ scripts })
    const up = talk(l)
    up.write(start)
    const response = await up.response
    up.write('nonsense\n')
    up.end()
    const answer = records(response.body!)
    await until(answer, 'input_error')
    release()
    expect((await rest(answer)).slice(-2)).toEqual(['finish', 'done'])
    expect(await (await l.runtime.find(response.headers.get('x-run-id')!)).header()).toMatchObject({
      status: 'completed',
    })
  })

  test('tells line by line what became of each, and reads on', async () => {
    const { scripts, release } = held(...Array.from({ length: 9 }, () => says('x')))
    const l = lab({ scripts, limits: { maxLineBytes: 200 } })
    const up = talk(l)
    up.write(start)
    const { body } = await up.response
    const told = outcomes(body!)
    const deep = `${'['.repeat(70)}${']'.repeat(70)}`
    up.write(`\n${steer('one')}{"type":"ste\nnull\n{"type":"pause"}\r\n${steer(' ')}{"type":"steer"}\n`)
    up.write(Buffer.concat([Buffer.from('{"type":"steer","text":"'), Buffer.from([0xff, 0xc3]), Buffer.from('"}\n')]))
    up.write(line({ type: 'follow_up', text: 'U+FFFD itself: �' }))
    up.write(`{"type":"steer","text":${deep}}\n${line({ type: 'tool_result', call_id: 'c', result: 1 })}`)
    // Cut in the middle of a character, and of a line.
    const cut = Buffer.from(line({ type: 'follow_up', text: 'ä€😀' }))
    for (const byte of cut) up.write(new Uint8Array([byte]))
    up.write(steer('x'.repeat(200)))
    up.write(steer('behind what was too long'))
    up.end()
    await settled()
    release()
    expect(await told).toEqual([
      [3, 'steer'],
      [4, 'bad_line'],
      [5, 'bad_line'],
      [6, 'body_invalid'],
      [7, 'empty_steer'],
      [8, 'body_invalid'],
      [9, 'bad_utf8'],
      [10, 'follow_up'],
      [11, 'json_too_deep'],
      [12, 'call_unknown'],
      [13, 'follow_up'],
      [14, 'line_too_long'],
    ])
    const [, , , fourth] = l.provider.requests
    expect(
      fourth!.messages.filter(({ role }) => role === 'user').map((one) => 'content' in one && one.content),
    ).toEqual(['Count.', 'one', 'U+FFFD itself: �', 'ä€😀'])
  })

  test('tells of members that nobody knows, and of what is wrong, in full', async () => {
    const { scripts, release } = held(says('x'))
    const l = lab({ scripts })
    const up = talk(l)
    up.write(`${start}${line({ type: 'steer', text: 'x', priority: 1 })}{"type":"steer","text":7}\n`)
    up.end()
    const answer = records((await up.response).body!)
    expect((await until(answer, 'input_accepted'))['unknown_members']).toEqual(['priority'])
    expect(await until(answer, 'input_error')).toEqual({
      type: 'input_error',
      ts: 1_705_314_600_000,
      line: 3,
      error: {
        code: 'invalid_request',
        reason: 'body_invalid',
        message: 'the body is not accepted: text: expected string, received number',
        temporary: false,
      },
    })
    release()
    await rest(answer)
  })

  test('streams SSE where that is asked for', async () => {
    const { scripts, release } = held(says('x'))
    const l = lab({ scripts })
    const up = talk(l, { accept: 'text/event-stream' })
    up.write(start + steer('x'))
    up.end()
    const response = await up.response
    await settled()
    release()
    const text = await response.text()
    expect(text).toContain(
      'event: input_accepted\ndata: {"type":"input_accepted","ts":1705314600000,"line":2,"input":"steer"}\n\n',
    )
    expect(text.endsWith('event: done\ndata: {"type":"done","finished":true}\n\n')).toBe(true)
  })

  test('finds its run again by its key, and may go on talking to it', async () => {
    const { scripts, release } = held(says('x'), says('y'))
    const l = lab({ scripts })
    const first = talk(l, { 'idempotency-key': 'k' })
    first.write(start + steer('one'))
    const answer = records((await first.response).body!)
    await until(answer, 'input_accepted')
    const second = talk(l, { 'idempotency-key': 'k', 'last-event-id': '1-3' })
    second.write(line({ prompt: 'Count.' }))
    const response = await second.response
    expect(response.headers.get('idempotency-replayed')).toBe('true')
    const again = records(response.body!)
    second.write(line({ type: 'follow_up', text: 'two' }))
    await until(again, 'input_accepted')
    release()
    await Promise.all([rest(answer), rest(again)])
    expect(l.provider.requests).toHaveLength(3)
  })

  test('takes the rest of its body, and does nothing with it, behind a line that is too long', async () => {
    const { scripts, release } = held()
    const l = lab({ scripts, limits: { maxLineBytes: 100 } })
    const up = talk(l)
    up.write(start + steer('x'.repeat(100)))
    const answer = records((await up.response).body!)
    await until(answer, 'input_error')
    for (let i = 0; i < 100; i++) up.write(steer('x'))
    await settled()
    // Whoever writes all before it reads must come to its end.
    expect(up.waiting()).toBe(0)
    release()
    expect((await rest(answer)).slice(-2)).toEqual(['finish', 'done'])
    expect(l.provider.requests).toHaveLength(1)
  })

  const refused: [name: string, body: string, more: Record<string, string>, status: number, reason: string][] = [
    ['no line', '\n \n', {}, 400, 'no_start'],
    ['a first line that is no JSON', 'prompt=Hi\n', {}, 400, 'bad_line'],
    ['a first line that is cut', '{"prompt":"Hi', {}, 400, 'truncated_line'],
    ['a first line that is an input', steer('x'), {}, 400, 'empty_prompt'],
    ['a first line that is too long', line({ prompt: 'x'.repeat(1 << 20) }), {}, 400, 'line_too_long'],
    ['a compressed body', start, { 'content-encoding': 'gzip' }, 415, 'content_encoding'],
    ['an answer that could not tell of the lines', start, { accept: 'application/json' }, 406, 'not_acceptable'],
    ['an unknown model', line({ prompt: 'Hi', model: 'no/thing' }), {}, 404, 'model_unknown'],
  ]
  for (const [name, body, more, status, reason] of refused) {
    test(`refuses ${name}: ${status} ${reason}, and lets the body go`, async () => {
      const l = lab()
      const up = talk(l, more)
      up.write(body)
      if (reason === 'truncated_line' || reason === 'no_start') up.end()
      const response = await up.response
      expect([response.status, (await response.json()).reason]).toEqual([status, reason])
      expect(l.provider.requests).toEqual([])
      if (reason === 'empty_prompt' || reason === 'model_unknown') expect(up.gone()).toBe(true)
    })
  }

  test('takes lines no faster than its answer is taken', async () => {
    const { scripts } = held()
    const l = lab({ scripts, limits: { maxPendingBytes: 2_000 } })
    let asked = 0
    const bad = new TextEncoder().encode('x\n')
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (asked === 1_000) return controller.close()
          controller.enqueue(asked++ === 0 ? new TextEncoder().encode(start) : bad)
        },
      },
      { highWaterMark: 0 },
    )
    const response = await l.ask('/v1/runs', { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
    await settled()
    const before = asked
    await settled()
    // Each error takes about 200 bytes of the answer, of which 2,000 may wait.
    expect([asked === before, before < 30]).toEqual([true, true])
    const reader = response.body!.getReader()
    for (let i = 0; i < 40; i++) await reader.read()
    await settled()
    expect(asked).toBeGreaterThan(before)
    await reader.cancel()
    await l.runtime.cancel(response.headers.get('x-run-id')!)
  })
})

describe('a body that goes on, over a real connection', () => {
  const raw = async (scripts: readonly Script[], more: Record<string, string> = {}, options = {}) => {
    const c = await connect({ scripts, ...options })
    const asked: Record<string, string> = {
      Authorization: `Bearer ${c.token}`,
      'Content-Type': 'application/x-ndjson',
      'Transfer-Encoding': 'chunked',
      ...more,
    }
    const reader = rawRequest({ port: c.port, method: 'POST', path: '/v1/runs', headers: asked })
    return { c, reader, send: (text: string) => reader.socket.write(chunk(text)) }
  }
  const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
  const types = (reader: RawReader) =>
    reader
      .body()
      .toString()
      .trimEnd()
      .split('\n')
      .map((one) => JSON.parse(one).type)

  test('answers before the body has ended, and takes what comes behind', async () => {
    const { scripts, release } = held(says('x'))
    const { c, reader, send } = await raw(scripts)
    send(start.slice(0, 5))
    send(start.slice(5))
    expect(await reader.head).toMatch(/^HTTP\/1\.1 200 /)
    await reader.until('"type":"start"')
    send(steer('x'))
    await reader.until('"type":"input_accepted"')
    release()
    await reader.ended
    expect(reader.whole()).toBe(true)
    expect(types(reader).slice(-2)).toEqual(['finish', 'done'])
    // The body is not over, and the connection has no use any more.
    await new Promise<void>((resolve) => {
      if (reader.socket.destroyed) resolve()
      reader.socket.once('close', () => resolve())
    })
    await c.close()
    expect(c.diagnostics).toEqual([])
  })

  test('keeps the connection for the next request where the body ended with the answer', async () => {
    const { scripts, release } = held()
    const { c, reader, send } = await raw(scripts)
    send(start)
    await reader.until('"type":"start"')
    reader.socket.write('0\r\n\r\n')
    release()
    await reader.ended
    let next = ''
    reader.socket.on('data', (bytes) => (next += String(bytes)))
    reader.socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${c.port}\r\n\r\n`)
    while (!next.includes('"ok"')) await settled()
    expect(next).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('goes on to be read when the time for bodies is over', async () => {
    const { scripts, release } = held(says('x'))
    const { c, reader, send } = await raw(scripts, {}, { limits: { bodyMs: 100, headersMs: 50 } })
    send(start)
    await reader.until('"type":"start"')
    // Beside it, a request that nothing has answered yet: when that is cut, Node has looked at both.
    const slow = rawRequest({
      port: c.port,
      method: 'POST',
      path: '/v1/runs',
      headers: { Authorization: `Bearer ${c.token}`, 'Content-Type': 'application/json', 'Content-Length': '100' },
    })
    expect(await slow.head).toMatch(/^HTTP\/1\.1 408 /)
    await slow.ended
    expect(JSON.parse(slow.body().toString())).toMatchObject({ status: 408, reason: 'request_timeout' })
    send(steer('x'))
    await reader.until('"type":"input_accepted"')
    release()
    await reader.ended
    expect([reader.whole(), types(reader).at(-1)]).toEqual([true, 'done'])
  })

  test('sends on when it is told to go on (Expect: 100-continue)', async () => {
    const { scripts, release } = held()
    const { c, reader, send } = await raw(scripts, { Expect: '100-continue' })
    expect(await reader.head).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    send(start)
    let answer = ''
    reader.socket.on('data', (bytes) => (answer += String(bytes)))
    while (!answer.includes('"type":"start"')) await settled()
    release()
    while (!answer.includes('"type":"done"')) await settled()
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(c.provider.requests).toHaveLength(1)
  })

  test('a client that leaves in the middle ends its connection, not the run', async () => {
    const { scripts, release } = held()
    const { c, reader, send } = await raw(scripts)
    send(start)
    await reader.until('"type":"start"')
    reader.socket.destroy()
    while (c.server.readers > 0) await settled()
    release()
    const [run] = await c.runtime.list()
    await ended(c, run!.run_id)
    expect(await (await c.runtime.find(run!.run_id)).header()).toMatchObject({ status: 'completed' })
    expect(c.diagnostics).toEqual([])
  })

  test('tells of every line that came, over a socket', async () => {
    const { scripts } = held()
    const { reader, send } = await raw(scripts)
    send(start)
    await reader.until('"type":"start"')
    send(line({ type: 'cancel' }) + steer('Late.'))
    await reader.ended
    const told = reader
      .body()
      .toString()
      .split('\n')
      .slice(0, -1)
      .map((one) => (JSON.parse(one) as Line).type)
    expect(told.slice(-4)).toEqual(['finish', 'input_accepted', 'input_error', 'done'])
  })

  test('unless it asked for that (cancel_on_disconnect)', async () => {
    const { scripts } = held()
    const { c, reader, send } = await raw(scripts)
    send(line({ prompt: 'Hi', cancel_on_disconnect: true }))
    await reader.until('"type":"start"')
    reader.socket.destroy()
    while (c.provider.active > 0) await settled()
    const [run] = await c.runtime.list()
    await ended(c, run!.run_id)
    expect(await (await c.runtime.find(run!.run_id)).header()).toMatchObject({ status: 'cancelled' })
  })

  const clients: [
    name: string,
    ask: (url: string, token: string, body: ReadableStream<Uint8Array>) => Promise<AsyncIterable<Uint8Array>>,
  ][] = [
    [
      'fetch',
      async (url, token, body) => {
        const init = { method: 'POST', headers: { ...headers, authorization: `Bearer ${token}` }, body, duplex: 'half' }
        const response = await fetch(url, init)
        return response.body!
      },
    ],
    [
      'undici.request',
      async (url, token, body) => {
        const init = { headers: { ...headers, authorization: `Bearer ${token}` }, body: body as never }
        return (await request(url, { method: 'POST', ...init })).body
      },
    ],
  ]
  for (const [name, ask] of clients) {
    test(`works with ${name}, both ways at once`, async () => {
      const { scripts, release } = held(says('x'), says('y'))
      const c = await connect({ scripts })
      const up = pipe()
      up.write(start)
      const answer = records(await ask(`http://127.0.0.1:${c.port}/v1/runs`, c.token, up.body))
      await until(answer, 'start')
      up.write(steer('x'))
      await until(answer, 'input_accepted')
      up.write('bad\n')
      await until(answer, 'input_error')
      release()
      expect(await until(answer, 'turn.start')).toMatchObject({ kind: 'steer' })
      expect((await rest(answer)).slice(-2)).toEqual(['finish', 'done'])
    })
  }
})
