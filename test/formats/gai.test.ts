import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Batch } from '../../src/core/batch.ts'
import { legalOrder } from '../../src/core/order.ts'
import type { Entry } from '../../src/core/event.ts'
import type { Format, FormatOptions, Framing } from '../../src/core/format.ts'
import { parseLine } from '../../src/core/line.ts'
import type { RunHeader } from '../../src/core/log.ts'
import { gai } from '../../src/formats/gai.ts'
import { formats } from '../../src/formats/index.ts'
import { formatCases } from '../../src/testing/format-suite.ts'
import { gaiClient } from './gai-client.ts'
import { referenceSse } from './sse-reference.ts'

const header: RunHeader = {
  run_id: 'run_golden',
  session_id: 'ses_golden',
  request_id: 'req_golden',
  trace_id: 'trace_golden',
  provider: 'test',
  model: 'test-model',
  durability: 'sync',
  status: 'completed',
  created_at: 1_705_311_000_000,
  cursor: { epoch: 1, seq: 21 },
  title: 'What time is it?',
}
const framings: readonly Framing[] = ['sse', 'ndjson']
const forms: readonly FormatOptions[] = framings.flatMap((framing) =>
  [true, false].map((compact) => ({ framing, compact })),
)
const fixture = (name: string) => readFileSync(new URL(`../fixtures/formats/${name}`, import.meta.url), 'utf8')

/** The batches of a stored log: a batch has one epoch. */
function stored(name: string): Batch[] {
  const batches: Batch[] = []
  let entries: Entry[] = []
  let epoch = 1
  const close = () => {
    const batch = Batch.of('run_golden', epoch, entries)
    batches.push(Batch.stored(batch, batch.lines))
    entries = []
  }
  for (const line of fixture(`${name}.log`).split('\n').slice(0, -1)) {
    const entry = parseLine(line)
    if (entry.epoch !== undefined && entry.epoch !== epoch) {
      close()
      epoch = entry.epoch
    }
    entries.push(entry)
  }
  close()
  return batches
}

function encode(batches: readonly Batch[], options: FormatOptions): Buffer {
  const encoder = gai.open(header, options)
  return Buffer.concat([encoder.start(), ...batches.map((batch) => encoder.batch(batch)), encoder.end()])
}

describe('the golden files', () => {
  for (const name of ['whole', 'owner-lost']) {
    for (const options of forms) {
      const file = `${name}.${options.compact ? 'compact' : 'full'}.${options.framing}`
      test(`${file} is what a reader gets, byte for byte`, () => {
        expect(encode(stored(name), options).toString()).toBe(fixture(file))
      })
    }
  }

  test('hold every type of event', () => {
    const seen = ['whole', 'owner-lost'].flatMap((name) => stored(name).flatMap(({ entries }) => entries))
    expect([...new Set(seen.map(({ event }) => event.type))].toSorted()).toEqual(Object.keys(legalOrder).toSorted())
  })

  test('the compact NDJSON form is the stored log, and the end', () => {
    const log = fixture('whole.log')
    // Characters that some readers take for line ends are escaped on the way out.
    const escaped = log.replaceAll('\u0085', '\\u0085').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
    expect(fixture('whole.compact.ndjson')).toBe(`${escaped}{"type":"done","finished":true}\n`)
  })

  // Published with the schema; what we add is taken out, the rest has to stand in the published order.
  const published = [
    '{"schema":"gai.events.v1","type":"start","ts":1705311000000,"seq":1,"trace_id":"trace_golden","request_id":"req_golden","provider":"test","model":"test-model"}',
    '{"schema":"gai.events.v1","type":"text.delta","ts":1705311000050,"seq":6,"trace_id":"trace_golden","request_id":"req_golden","step":1,"text":"Hello"}',
    '{"schema":"gai.events.v1","type":"tool.call","ts":1705311000100,"seq":11,"trace_id":"trace_golden","request_id":"req_golden","step":1,"call_id":"call_1","tool_call":{"name":"test_tool","input":{"test":true}}}',
    '{"schema":"gai.events.v1","type":"tool.result","ts":1705311000120,"seq":13,"trace_id":"trace_golden","request_id":"req_golden","step":1,"call_id":"call_1","tool_result":{"success":true}}',
    '{"schema":"gai.events.v1","type":"finish","ts":1705311000190,"seq":21,"trace_id":"trace_golden","request_id":"req_golden","provider":"test","model":"test-model","usage":{"input_tokens":10,"output_tokens":20,"total_tokens":30},"finish_reason":"stop"}',
  ]
  test('the full form is the published one, with additions', () => {
    const additions =
      /,"(?:epoch|run_id|session_id|durability|capabilities|accuracy|name|is_error|duration_ms)":(?:"[^"]*"|\[[^\]]*\]|[a-z0-9.]+)/g
    const ours = fixture('whole.full.ndjson')
      .split('\n')
      .map((line) => line.replaceAll(additions, ''))
    expect(ours.filter((line) => published.includes(line))).toEqual(published)
  })
})

describe('the suite', () => {
  for (const { name, run } of formatCases({ format: gai, client: gaiClient, expected: (view) => view })) {
    test(name, () => expect(run()).toBeUndefined())
  }

  test('notices a format that loses one event', () => {
    const lossy: Format = {
      ...gai,
      open(run, options) {
        const encoder = gai.open(run, options)
        return {
          contentType: encoder.contentType,
          start: () => encoder.start(),
          batch: (batch) => (batch.first === 1 ? encoder.batch(batch) : new Uint8Array()),
          control: (record) => encoder.control(record),
          end: () => encoder.end(),
        }
      },
    }
    const cases = formatCases({ format: lossy, client: gaiClient, expected: (view) => view, runs: 5 })
    const failed = cases.filter(({ run }) => fails(run)).map(({ name }) => name.replace(/.*: /, ''))
    expect([...new Set(failed)]).toEqual(
      cases
        .slice(0, 7)
        .map(({ name }) => name.replace(/.*: /, ''))
        .filter((name) => !name.startsWith('no shorter')),
    )
  })
})

describe('encoding', () => {
  test('happens once for all readers of one form', () => {
    const [batch] = stored('whole')
    for (const options of forms) {
      const bytes = gai.open(header, options).batch(batch!)
      expect(gai.open(header, options).batch(batch!)).toBe(bytes)
    }
    expect(new Set(forms.map((options) => gai.open(header, options).batch(batch!))).size).toBe(forms.length)
  })

  test('the default is compact on SSE and full on NDJSON', () => {
    const batches = stored('whole')
    expect(encode(batches, { framing: 'sse' }).toString()).toBe(fixture('whole.compact.sse'))
    expect(encode(batches, { framing: 'ndjson' }).toString()).toBe(fixture('whole.full.ndjson'))
  })

  const damaged: [name: string, lines: string][] = [
    ['a line break inside a line', '{"type":"text\n.delta","ts":1,"seq":1,"step":1,"text":"a"}\n'],
    ['a carriage return in the type', '{"type":"a\\r\\nb","ts":1,"seq":1}\n{"type":"a\rb","ts":1,"seq":2}\n'],
    ['no line end', '{"type":"text.delta","ts":1,"seq":1,"step":1,"text":"a"}'],
    ['one line too few', '{"type":"text.delta","ts":1,"seq":1,"step":1,"text":"a"}\n'],
    ['one line too many', '{"type":"text.delta","ts":1,"seq":1,"step":1,"text":"a"}\n'.repeat(3)],
    ['another order of members', '{"ts":1,"type":"text.delta","seq":1}\n{"ts":1,"type":"text.delta","seq":2}\n'],
    ['nothing', ''],
  ]
  for (const [name, lines] of damaged) {
    test(`refuses a stored batch with ${name}`, () => {
      const batch = Batch.stored({ run: 'run_golden', epoch: 1, first: 1, last: 2 }, lines)
      expect(() => gai.open(header, { framing: 'sse' }).batch(batch)).toThrow(
        expect.objectContaining({ code: 'internal', reason: 'bad_line' }),
      )
    })
  }
})

describe('control records', () => {
  const cursor = { epoch: 2, seq: 41 }
  const cases = [
    [{ type: 'heartbeat', ts: 5 }, ': keep-alive\n\n', '{"type":"heartbeat","ts":5}\n'],
    [
      { type: 'lag', ts: 5, events: 12, cursor },
      'event: lag\ndata: {"type":"lag","ts":5,"events":12,"cursor":"2-41"}\n\n',
      '{"type":"lag","ts":5,"events":12,"cursor":"2-41"}\n',
    ],
    [
      { type: 'gap', ts: 5, from: 3, to: 7, reason: 'corrupt' },
      'event: gap\ndata: {"type":"gap","ts":5,"from":3,"to":7,"reason":"corrupt"}\n\n',
      '{"type":"gap","ts":5,"from":3,"to":7,"reason":"corrupt"}\n',
    ],
    [
      { type: 'overflow', ts: 5, reason: 'slow_consumer', cursor },
      'event: overflow\ndata: {"type":"overflow","ts":5,"reason":"slow_consumer","cursor":"2-41"}\n\n',
      '{"type":"overflow","ts":5,"reason":"slow_consumer","cursor":"2-41"}\n',
    ],
    [
      { type: 'closing', ts: 5, reason: 'shutting_down', cursor },
      'event: closing\ndata: {"type":"closing","ts":5,"reason":"shutting_down","cursor":"2-41"}\n\n',
      '{"type":"closing","ts":5,"reason":"shutting_down","cursor":"2-41"}\n',
    ],
    [
      { type: 'snapshot', ts: 5, cursor, view: { seq: 41, text: '\u2028\n' } },
      'id: 2-41\nevent: snapshot\ndata: {"type":"snapshot","ts":5,"cursor":"2-41","view":{"seq":41,"text":"\\u2028\\n"}}\n\n',
      '{"type":"snapshot","ts":5,"cursor":"2-41","view":{"seq":41,"text":"\\u2028\\n"}}\n',
    ],
  ] as const
  for (const [record, sse, ndjson] of cases) {
    test(`${record.type} has no seq, and is spelled the same in both framings`, () => {
      expect(Buffer.from(gai.open(header, { framing: 'sse' }).control(record)).toString()).toBe(sse)
      expect(Buffer.from(gai.open(header, { framing: 'ndjson' }).control(record)).toString()).toBe(ndjson)
    })
  }
})

describe('no text can frame itself', () => {
  const hostile = [
    'a\r\nb',
    'a\rb',
    '\n\nid: 9-9\nevent: finish\ndata: {}\n\n',
    '\r\rdata: x\r\r',
    ': comment\n',
    '\0',
    '\u2028data: x\u2028\u2028',
    '\u2029',
    '\u0085',
    '\v\f\u001c\u001d\u001e',
    '\uFEFF',
    '\\u000a\\n',
    '"}\n{"type":"done","finished":true}',
    '\uD83D',
  ]
  const places: readonly ((text: string) => Entry['event'])[] = [
    (text) => ({ type: 'text.delta', step: 1, text }),
    (text) => ({ type: 'tool.call.delta', step: 1, call_id: text, name: text, json: text }),
    (text) => ({ type: 'tool.call', step: 1, call_id: text, tool_call: { name: text, input: { [text]: text } } }),
    (text) => ({
      type: 'tool.result',
      step: 1,
      call_id: text,
      name: text,
      tool_result: text,
      is_error: false,
      duration_ms: 1,
    }),
    (text) => ({ type: 'warning', code: text, message: text }),
    (text) => ({ type: 'error', error: { code: 'internal', reason: text, message: text, temporary: false } }),
  ]
  const entries: Entry[] = hostile
    .flatMap((text) => places.map((place) => place(text)))
    .map((event, i) => ({ seq: i + 1, ts: 1_705_311_000_000 + i, event }))
  const batch = Batch.of('run_golden', 3, entries)
  const hostileHeader: RunHeader = {
    ...header,
    provider: hostile.join(''),
    model: hostile.join(''),
    trace_id: hostile.join(''),
  }

  for (const compact of [true, false]) {
    const bytes = gai.open(hostileHeader, { framing: 'sse', compact }).batch(batch)
    test(`a browser reads the ${compact ? 'compact' : 'full'} SSE form as it was meant`, () => {
      const { events, comments } = referenceSse(bytes)
      expect(events.map(({ lastEventId }) => lastEventId)).toEqual(entries.map(({ seq }) => `3-${seq}`))
      expect(events.map(({ type }) => type)).toEqual(entries.map(({ event }) => event.type))
      expect(events.map(({ data }) => parseLine(data))).toMatchObject(JSON.parse(JSON.stringify(entries)))
      expect(comments).toEqual([])
    })
    test(`eventsource-parser reads the ${compact ? 'compact' : 'full'} SSE form as a browser does`, () => {
      const client = gaiClient({ framing: 'sse' })
      client.feed(
        gai
          .open(header, { framing: 'sse' })
          .control({ type: 'snapshot', ts: 1, cursor: { epoch: 3, seq: 0 }, view: { seq: 0 } }),
      )
      client.feed(bytes)
      expect(client.entries).toMatchObject(JSON.parse(JSON.stringify(entries)))
    })
  }

  test('readers that split lines as Python does find the same lines', () => {
    for (const framing of framings) {
      const text = encode([batch], { framing }).toString()
      const others = ['\r', '\v', '\f', '\u001c', '\u001d', '\u001e', '\u0085', '\u2028', '\u2029']
      expect(others.filter((char) => text.includes(char))).toEqual([])
    }
  })
})

test('the table calls every format by its own name', () => {
  for (const [name, format] of Object.entries(formats)) expect(format.name).toBe(name)
})

function fails(run: () => void): boolean {
  try {
    run()
    return false
  } catch {
    return true
  }
}
