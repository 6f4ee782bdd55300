import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Batch } from '../src/core/batch.ts'
import { errorCodes } from '../src/core/error.ts'
import type { Entry, StartEvent } from '../src/core/event.ts'
import { lineOf, parseLine } from '../src/core/line.ts'
import type { RunHeader } from '../src/core/log.ts'
import { checkOrder, legalOrder } from '../src/core/order.ts'
import { gai } from '../src/formats/gai.ts'
import { openaiChat } from '../src/formats/openai-chat.ts'
import { formats } from '../src/formats/index.ts'
import { routes } from '../src/servers/http/routes.ts'
import { inputSchema } from '../src/servers/http/runs/input-body.ts'
import { startSchema } from '../src/servers/http/runs/start-body.ts'

const page = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8')

/** The text between a heading and the next one of the same level. */
function section(heading: string): string {
  const level = /^#+/.exec(heading)![0]
  const start = page.indexOf(`\n${heading}`)
  const end = page.indexOf(`\n${level} `, start + heading.length)
  return start < 0 ? '' : page.slice(start, end < 0 ? undefined : end)
}

const fenced = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\n\`\`\``, 'gs'))].map(([, block]) => block!)
/** The rows of a table whose first cell is code, cell by cell. */
const rows = (text: string): string[][] =>
  [...text.matchAll(/^\|( `.*)\|$/gm)].map(([, row]) => row!.split('|').map((cell) => cell.replaceAll('`', '').trim()))

const examples = fenced(section('## 1. Events'), 'json')
  .slice(1)
  .flatMap((block) => block.split('\n'))

describe('the example lines of PROTOCOL.md', () => {
  test('show every event, and nothing that is none', () => {
    const shown = new Set(examples.map((line) => parseLine(line).event.type))
    expect([...shown].toSorted()).toEqual(Object.keys(legalOrder).toSorted())
  })

  test('are lines as they are stored, byte for byte', () => {
    expect(examples.map((line) => lineOf(parseLine(line)))).toEqual(examples)
  })

  test('are one legal run, in the order of their seq', () => {
    const bySeq = new Map<number, Entry>()
    // Two endings share the last place; the run can have either.
    for (const entry of examples.map(parseLine)) if (!bySeq.has(entry.seq)) bySeq.set(entry.seq, entry)
    const run = [...bySeq.values()].toSorted((a, b) => a.seq - b.seq)
    expect(() => checkOrder(run, { ended: true })).not.toThrow()
    const error = parseLine(examples.at(-1)!)
    expect(() => checkOrder([...run.slice(0, -1), error], { ended: true })).not.toThrow()
  })

  test('show the full form as the format spells it', () => {
    const [compact, full] = fenced(section('## 1. Events'), 'json')[0]!.split('\n')
    const start = parseLine(examples[0]!).event as StartEvent
    const entry = parseLine(compact!)
    const encoder = gai.open(start as unknown as RunHeader, { framing: 'ndjson', compact: false })
    const bytes = encoder.batch(Batch.of(start.run_id, 1, [entry]))
    expect(new TextDecoder().decode(bytes)).toBe(`${full}\n`)
  })

  test('show an SSE event as the format spells it', () => {
    const block = /```\n(id: .*?\n\n)```/s.exec(section('## 5. Framing'))![1]
    const entry = parseLine(/data: (.*)/.exec(block!)![1]!)
    const encoder = gai.open({} as RunHeader, { framing: 'sse' })
    expect(new TextDecoder().decode(encoder.batch(Batch.of('run_1', 1, [entry])))).toBe(block)
  })

  test('show a chunk of OpenAI as the format spells it', () => {
    const start = parseLine(examples[0]!)
    const block = /```\n(id: .*?\n\n)```/s.exec(section('### OpenAI'))![1]
    const run = { ...(start.event as StartEvent), created_at: start.ts, cursor: { epoch: 1, seq: 4 } }
    const encoder = openaiChat.open(run as unknown as RunHeader, { framing: 'sse' })
    const entry = parseLine(/data: (.*)/.exec(/```\n(id: .*?\n\n)```/s.exec(section('## 5. Framing'))![1]!)![1]!)
    expect(new TextDecoder().decode(encoder.batch(Batch.of('run_1', 1, [entry])))).toBe(block)
  })

  test('show control records as the format spells them', () => {
    const encoder = gai.open({} as RunHeader, { framing: 'ndjson' })
    const ts = 1_705_314_600_500
    const badLine = {
      code: 'invalid_request',
      reason: 'bad_line',
      message: 'line 3 is not a JSON object',
      temporary: false,
    } as const
    const spelled = [
      encoder.control({ type: 'lag', ts, events: 4_012, cursor: { epoch: 1, seq: 388 } }),
      encoder.control({ type: 'gap', ts, from: 389, to: 404, reason: 'corrupt' }),
      encoder.control({ type: 'overflow', ts: ts + 30_000, reason: 'slow_consumer', cursor: { epoch: 1, seq: 420 } }),
      encoder.control({ type: 'input_accepted', ts, line: 2, input: 'steer' }),
      encoder.control({ type: 'input_error', ts, line: 3, error: badLine }),
    ]
    const said = fenced(section('## 4. Control'), 'ndjson')[0]!
    expect(spelled.map((bytes) => new TextDecoder().decode(bytes)).join('')).toBe(`${said}\n`)
  })
})

describe('the tables of PROTOCOL.md', () => {
  test('each event’s fields are described where its examples are', () => {
    const envelope = new Set(rows(section('### Envelope')).flatMap(([names]) => names!.split(', ')))
    const undescribed: string[] = []
    for (const part of section('## 1. Events').split('\n### ').slice(2)) {
      const described = new Set(rows(part).flatMap(([names]) => names!.split(', ')))
      for (const line of fenced(part, 'json').flatMap((block) => block.split('\n'))) {
        const record: Record<string, unknown> = JSON.parse(line)
        const strange = Object.keys(record).filter((field) => !envelope.has(field) && !described.has(field))
        undescribed.push(...strange.map((field) => `${String(record['type'])}.${field}`))
      }
    }
    expect(undescribed).toEqual([])
  })

  test('error codes mean what the code says they mean', () => {
    const said = rows(section('## 7. Errors'))
      .filter((row) => row.length === 5)
      .map(([code, status, exit, temporary, retry]) => ({ code, status, exit, temporary, retry }))
    const meant = Object.entries(errorCodes).map(([code, meaning]) => ({
      code,
      status: String(meaning.status),
      exit: String(meaning.exit),
      temporary: meaning.temporary ? 'yes' : 'no',
      retry: 'retryAfterMs' in meaning ? `${meaning.retryAfterMs / 1_000} s` : '',
    }))
    expect(said).toEqual(meant)
  })

  test('the server has the routes that are listed, and no others', () => {
    const listed = rows(section('## 6. HTTP')).map(([route]) => route!)
    const served = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}')}`)
    expect(listed.filter((route) => /^(?:GET|POST) /.test(route)).toSorted()).toEqual(served.toSorted())
  })

  test('the members of a start are those that the server takes', () => {
    const listed = rows(section('### `POST /v1/runs`')).flatMap(([names]) => names!.split(', '))
    expect(listed.toSorted()).toEqual(Object.keys(startSchema.shape).toSorted())
  })

  test('the inputs are those that the server takes', () => {
    const listed = rows(section('### Input')).map(([type, fields]) => [type, fields!.replaceAll('?', '').split(', ')])
    const taken = inputSchema.options.map(({ shape }) => [
      shape.type.value,
      Object.keys(shape).filter((name) => name !== 'type'),
    ])
    expect(listed).toEqual(taken)
  })

  test('every format that can be asked for is named', () => {
    const row = rows(section('### `GET /v1/runs/{id}/events`')).find(([name]) => name === 'format=')
    expect(Object.keys(formats).filter((name) => !row![1]!.includes(name))).toEqual([])
  })
})
