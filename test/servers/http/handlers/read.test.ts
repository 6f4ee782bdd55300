import { describe, expect, test } from 'vitest'
import { readNdjson, readSse, type EventReader, type ReadStreamOptions } from '../../../../src/http.ts'
import { isRunletError } from '../../../../src/core/error.ts'
import type { Entry } from '../../../../src/core/event.ts'
import { ndjson, sse } from '../../../../src/servers/http/handlers/streams.ts'
import { everySplit } from '../../../../src/testing/every-split.ts'
import { lab, runEnds, stepBegins, texts } from '../lab.ts'

const kinds = {
  SSE: { write: sse, read: readSse, done: 'event: done\ndata: {"type":"done","finished":true}\n\n' },
  NDJSON: { write: ndjson, read: readNdjson, done: '{"type":"done","finished":true}\n' },
} as const

/** A short run as bytes, and its entries. */
async function recorded(write: (typeof kinds)['SSE' | 'NDJSON']['write'], options = {}) {
  const l = lab()
  const run = await l.runtime.find(await l.begin([...stepBegins, ...texts(2, 'né '), ...runEnds]))
  const entries: Entry[] = []
  for await (const record of run.read()) if (record.type === 'batch') entries.push(...record.entries)
  const bytes = new Uint8Array(await (await write(run, options)).arrayBuffer())
  return { bytes, entries }
}

async function* chunks(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
  yield* pieces
}

/** All that a reader gave, and how it came to its end. */
async function read(reader: EventReader): Promise<{ entries: Entry[]; thrown: string | undefined }> {
  const entries: Entry[] = []
  try {
    for await (const some of reader) entries.push(...some)
    return { entries, thrown: undefined }
  } catch (error) {
    if (!isRunletError(error)) throw error
    return { entries, thrown: `${error.code} ${error.reason}` }
  }
}

const encode = (text: string) => new TextEncoder().encode(text)
const control = (kind: keyof typeof kinds, record: Readonly<Record<string, unknown>>) =>
  kind === 'SSE'
    ? `event: ${String(record['type'])}\ndata: ${JSON.stringify(record)}\n\n`
    : `${JSON.stringify(record)}\n`

for (const [kind, { write, read: readerOf, done }] of Object.entries(kinds)) {
  const name = kind as keyof typeof kinds

  describe(`read${kind === 'SSE' ? 'Sse' : 'Ndjson'}`, () => {
    test('gives the entries of the log, however the bytes are cut', async () => {
      const { bytes, entries } = await recorded(write)
      for (const split of everySplit(bytes)) {
        const reader = readerOf(chunks(split))
        expect(await read(reader)).toEqual({ entries, thrown: undefined })
        expect([reader.cursor, reader.ending]).toEqual(['1-8', entries.at(-1)!.event])
      }
    })

    test('takes every shorter prefix for what it is: cut', async () => {
      const { bytes, entries } = await recorded(write)
      // A last line without its line feed is a whole one, in this format as in others.
      const whole = kind === 'NDJSON' ? bytes.length - 1 : bytes.length
      for (let length = 0; length < whole; length++) {
        const { entries: got, thrown } = await read(readerOf(chunks([bytes.subarray(0, length)])))
        expect(thrown).toMatch(/^network stream_eof_before_done$|^invalid_request truncated_line$/)
        expect(got).toEqual(entries.slice(0, got.length))
      }
    })

    test('reads a Response, a stream, and on from its own cursor', async () => {
      const l = lab()
      const run = await l.runtime.find(await l.begin([...stepBegins, ...texts(2), ...runEnds]))
      const reader = readerOf(await write(run))
      expect((await read(reader)).thrown).toBeUndefined()
      const half = readerOf((await write(run, { after: '1-3' })).body!, { after: '1-3' })
      expect((await read(half)).entries.map(({ seq }) => seq)).toEqual([4, 5, 6, 7, 8])
      expect(half.cursor).toBe('1-8')
    })

    test('takes the full form, without ids and times, too', async () => {
      const { entries } = await recorded(write)
      const plain = { compact: false, ids: false, timestamps: false }
      const { bytes } = await recorded(write, plain)
      const got = await read(readerOf(chunks([bytes])))
      expect(got.entries.map(({ seq, ts, event: { type } }) => [seq, ts, type])).toEqual(
        entries.map(({ seq, event: { type } }) => [seq, 0, type]),
      )
    })

    const endings: [name: string, bytes: string, thrown: string | undefined][] = [
      ['its end mark, and nothing behind it', `${done}rubbish\n\n`, undefined],
      [
        'being too slow',
        control(name, { type: 'overflow', reason: 'lagging', cursor: '1-3' }),
        'network reader_too_slow',
      ],
      [
        'the server going down',
        control(name, { type: 'closing', reason: 'shutting_down', cursor: '1-3' }),
        'network server_closing',
      ],
      [
        'events that are lost',
        control(name, { type: 'gap', from: 4, to: 9, reason: 'corrupt' }),
        'internal events_lost',
      ],
      [
        'a snapshot that nobody takes',
        control(name, { type: 'snapshot', cursor: '1-3', view: {} }),
        'unsupported snapshot_unread',
      ],
      ['the stream of another API', control(name, { type: 'chunk', seq: 'x' }), 'network not_events'],
    ]
    for (const [what, text, thrown] of endings) {
      test(`ends with ${what}`, async () => {
        expect((await read(readerOf(chunks([encode(text)])))).thrown).toBe(thrown)
      })
    }

    test('hands on the events that stand before the fault, in the same read', async () => {
      const { bytes, entries } = await recorded(write)
      const before = new TextDecoder().decode(bytes).replace(done, '')
      for (const fault of [control(name, { type: 'closing', reason: 'x' }), kind === 'SSE' ? 'data: {\n\n' : '{\n']) {
        const got = await read(readerOf(chunks([encode(before + fault)])))
        expect([got.entries, got.thrown !== undefined]).toEqual([entries, true])
      }
    })

    test('hands on what is no event, if somebody wants it', async () => {
      const records = [
        { type: 'lag', events: 9, cursor: '1-3' },
        { type: 'snapshot', cursor: '1-3', view: {} },
        { type: 'later', x: 1 },
      ]
      const told: unknown[] = []
      const options: ReadStreamOptions = { onControl: (record) => void told.push(record) }
      const text = records.map((record) => control(name, record)).join('')
      expect((await read(readerOf(chunks([encode(text + done)]), options))).thrown).toBeUndefined()
      expect(told).toEqual(records)
    })

    test('throws what the server refused, and gives nothing for a 204', async () => {
      const problem = { code: 'not_found', reason: 'run_unknown', detail: 'there is no run', temporary: false }
      const refused = Response.json(problem, { status: 404 })
      expect(await read(readerOf(refused))).toEqual({ entries: [], thrown: 'not_found run_unknown' })
      expect(await read(readerOf(new Response('<h1>Bad gateway', { status: 502 })))).toEqual({
        entries: [],
        thrown: 'network not_runlet',
      })
      expect(await read(readerOf(new Response(null, { status: 204 })))).toEqual({ entries: [], thrown: undefined })
    })

    test('tells a broken connection from one that was given up', async () => {
      const broken = (error: Error) => new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(error) })
      expect((await read(readerOf(broken(new TypeError('terminated'))))).thrown).toBe('network connection_lost')
      const aborted = read(readerOf(broken(new DOMException('gone', 'AbortError'))))
      await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
    })
  })
}
