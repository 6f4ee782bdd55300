/**
 * What every format owes, as cases for any test runner: `for (const { name, run } of formatCases(…)) test(name, run)`.
 * A client of the format reads what the encoder wrote, and must know what the log holds.
 */
import { deepStrictEqual, ok } from 'node:assert/strict'
import { Batch } from '../core/batch.ts'
import { epochAt, type Cursor, type Extent } from '../core/cursor.ts'
import type { Entry } from '../core/event.ts'
import { emptyView, fold, type RunView } from '../core/fold.ts'
import type { ControlBody, Encoder, Format, FormatOptions } from '../core/format.ts'
import type { RunHeader } from '../core/log.ts'
import { chunked, everySplit, everyTruncation } from './every-split.ts'
import { randomRun, seededRandom, type RandomSource } from './random-run.ts'

/** Someone who reads the format, as strictly as its real clients do. */
export interface FormatClient<State> {
  /** Takes bytes, cut anywhere. Throws on what is not of the format. */
  feed(bytes: Uint8Array): void
  /** The connection is gone: half a frame is forgotten, everything else is kept. */
  cut(): void
  /** What it has understood so far. */
  readonly state: State
  /** Whether it has seen the format's own end. */
  readonly done: boolean
  /** The place it would come back with; undefined before the first event, and where a format has no places. */
  readonly cursor: Cursor | undefined
}

/** A format under test, with a client that reads it and what that client should come to know. */
export interface FormatSuite<State> {
  readonly format: Format
  readonly client: (options: FormatOptions) => FormatClient<State>
  /** What a client should know, told from the fold of the log. */
  readonly expected: (view: RunView) => State
  /** Further options that are to make no difference, for example what a reader may ask for besides. Default none. */
  readonly options?: Partial<FormatOptions>
  /** Whether a client can come in at any place: its frames carry cursors, and it knows snapshots. Default true. */
  readonly resumable?: boolean
  /** Number of random runs. Default 12. */
  readonly runs?: number
}

/** One case for any test runner. `run` throws if the format does not hold. */
export interface SuiteCase {
  readonly name: string
  readonly run: () => void
}

/** The cases of every framing and form that a format has. */
export function formatCases<State>(suite: FormatSuite<State>): SuiteCase[] {
  const { format, resumable = true } = suite
  return format.framings.flatMap((framing) =>
    [true, false].flatMap((compact) => {
      const bench = new Bench(suite, { ...suite.options, framing, compact })
      const named = (what: string, run: () => void) => ({
        name: `${format.name}, ${compact ? 'compact' : 'full'} ${framing}: ${what}`,
        run,
      })
      return [
        named('a client understands the fold of the log, however entries are batched', () => bench.whole()),
        named('a client understands the same however the bytes are cut', () => bench.everySplit()),
        named('no shorter prefix looks finished', () => bench.everyPrefix()),
        named('what is said to one reader changes nothing that was understood', () => bench.controls()),
        ...(resumable
          ? [
              named('from every cursor, head and tail give the whole', () => bench.everyCursor()),
              named('at every place, a snapshot and the tail give the whole', () => bench.everySnapshot()),
              named('cut after any byte, a client comes back and misses and repeats nothing', () => bench.everyCut()),
            ]
          : []),
      ]
    }),
  )
}

class Bench<State> {
  readonly #suite: FormatSuite<State>
  readonly #options: FormatOptions

  constructor(suite: FormatSuite<State>, options: FormatOptions) {
    this.#suite = suite
    this.#options = options
  }

  whole(): void {
    this.#eachRun((run) => {
      const client = this.#fed(this.#stream(run, run.batches))
      this.#understood(client, run.entries)
      ok(client.done, 'the end was not understood')
    })
  }

  everySplit(): void {
    this.#eachSmall((run, bytes) => {
      for (const chunks of everySplit(bytes)) this.#understood(this.#fed(chunks), run.entries)
      this.#understood(this.#fed(chunked(bytes, 1)), run.entries)
    })
  }

  everyPrefix(): void {
    this.#eachSmall((run, bytes) => {
      // The format's own end mark may be whole before its last byte; before the mark, nothing may look finished.
      const mark = [...this.#stream(run, run.batches)].at(-1)!.length
      for (const prefix of everyTruncation(bytes)) {
        if (prefix.length > bytes.length - mark) break
        ok(!this.#fed([prefix]).done, `finished after ${prefix.length} of ${bytes.length} bytes`)
      }
    })
  }

  controls(): void {
    this.#eachRun((run) => {
      const client = this.#client()
      const encoder = this.#open(run)
      client.feed(encoder.start())
      for (const batch of run.batches) {
        client.feed(encoder.batch(batch))
        for (const body of controlBodies({ epoch: batch.epoch, seq: batch.last })) {
          client.feed(encoder.control({ ...body, ts: 1_700_000_000_000 }))
        }
      }
      client.feed(encoder.end())
      this.#understood(client, run.entries)
    })
  }

  everyCursor(): void {
    this.#eachRun((run) => {
      for (let seq = 0; seq <= run.entries.length; seq++) {
        const client = this.#client()
        const head = this.#open(run)
        client.feed(head.start())
        for (const batch of upTo(run.batches, seq)) client.feed(head.batch(batch))
        client.cut()
        for (const bytes of this.#stream(run, after(run.batches, seq), seq)) client.feed(bytes)
        this.#understood(client, run.entries)
        ok(client.done, `the end was not understood after ${seq}`)
      }
    })
  }

  everySnapshot(): void {
    this.#eachRun((run) => {
      for (let seq = 1; seq <= run.entries.length; seq++) {
        const client = this.#client()
        const encoder = this.#open(run, seq)
        const cursor = { epoch: epochAt(run.extent, seq), seq }
        const view = fold(emptyView, run.entries.slice(0, seq))
        client.feed(encoder.start())
        client.feed(encoder.control({ type: 'snapshot', ts: 1_700_000_000_000, cursor, view }))
        for (const batch of after(run.batches, seq)) client.feed(encoder.batch(batch))
        client.feed(encoder.end())
        this.#understood(client, run.entries)
      }
    })
  }

  everyCut(): void {
    this.#eachSmall((run, bytes) => {
      for (let at = 0; at <= bytes.length; at++) {
        const client = this.#fed([bytes.subarray(0, at)])
        if (client.done) continue
        client.cut()
        const seq = client.cursor?.seq ?? 0
        if (client.cursor) deepStrictEqual(client.cursor.epoch, epochAt(run.extent, seq), `epoch at byte ${at}`)
        for (const rest of this.#stream(run, after(run.batches, seq), seq)) client.feed(rest)
        this.#understood(client, run.entries)
      }
    })
  }

  #eachRun(check: (run: SampleRun) => void): void {
    for (let seed = 0; seed < (this.#suite.runs ?? 12); seed++) check(sampleRun(seed))
  }

  /** Runs small enough to be cut at each byte: one whose owner died with a call open, one with tools and a reset. */
  #eachSmall(check: (run: SampleRun, bytes: Uint8Array) => void): void {
    for (const seed of [4, 84]) {
      const run = sampleRun(seed, { turns: 1, steps: 2, rows: 3 })
      check(run, Buffer.concat([...this.#stream(run, run.batches)]))
    }
  }

  #fed(chunks: Iterable<Uint8Array>): FormatClient<State> {
    const client = this.#client()
    for (const bytes of chunks) client.feed(bytes)
    return client
  }

  /** An encoder for a reader who has read up to `seq`. */
  #open(run: SampleRun, seq = 0): Encoder {
    const { format } = this.#suite
    const view = format.stateful && seq > 0 ? { view: fold(emptyView, run.entries.slice(0, seq)) } : {}
    return format.open(run.header, { ...this.#options, mayReset: run.mayReset, ...view })
  }

  #client(): FormatClient<State> {
    return this.#suite.client(this.#options)
  }

  /** `batches` are those after `seq`. */
  *#stream(run: SampleRun, batches: readonly Batch[], seq = 0): Generator<Uint8Array> {
    const encoder = this.#open(run, seq)
    yield encoder.start()
    for (const batch of batches) yield encoder.batch(batch)
    yield encoder.end()
  }

  #understood(client: FormatClient<State>, entries: readonly Entry[]): void {
    deepStrictEqual(client.state, this.#suite.expected(fold(emptyView, entries)))
  }
}

interface SampleRun {
  readonly header: RunHeader
  readonly entries: readonly Entry[]
  readonly extent: Extent
  /** Whether it voids a step, or could have. */
  readonly mayReset: boolean
  /** The entries in batches of any size. */
  readonly batches: readonly Batch[]
}

function sampleRun(
  seed: number,
  size?: { readonly turns: number; readonly steps: number; readonly rows: number },
): SampleRun {
  const random = seededRandom(seed)
  const entries = randomRun(random, size)
  const { event } = entries[0]!
  if (event.type !== 'start') throw new Error('a run begins with start')
  const { type: _, capabilities: __, ...start } = event
  const epochs = entries.flatMap(({ epoch, seq }) => (epoch === undefined ? [] : [{ epoch, from: seq }]))
  const extent: Extent = { epochs, last: entries.length }
  return {
    header: {
      ...start,
      status: 'running',
      created_at: entries[0]!.ts,
      cursor: { epoch: epochs.at(-1)!.epoch, seq: entries.length },
      title: 'sample',
    },
    entries,
    extent,
    mayReset: seed % 3 === 0 || entries.some((entry) => entry.event.type === 'step.reset'),
    batches: batched(start.run_id, entries, extent, random),
  }
}

function batched(run: string, entries: readonly Entry[], extent: Extent, random: RandomSource): Batch[] {
  const batches: Batch[] = []
  for (let from = 0; from < entries.length;) {
    const epoch = epochAt(extent, from + 1)
    let to = from + 1 + Math.floor(random() * 8)
    while (epochAt(extent, Math.min(to, entries.length)) !== epoch) to--
    const batch = Batch.of(run, epoch, entries.slice(from, to))
    // As a live reader gets it, or as a store gives it back.
    batches.push(random() < 0.5 ? batch : Batch.stored(batch, batch.lines))
    from = to
  }
  return batches
}

function upTo(batches: readonly Batch[], seq: number): Batch[] {
  return batches.flatMap((batch) => {
    if (batch.last <= seq) return [batch]
    return batch.first > seq ? [] : [Batch.of(batch.run, batch.epoch, batch.entries.slice(0, seq - batch.first + 1))]
  })
}

function after(batches: readonly Batch[], seq: number): Batch[] {
  return batches.flatMap((batch) => {
    if (batch.first > seq) return [batch]
    return batch.last <= seq ? [] : [batch.after(seq)]
  })
}

function controlBodies(cursor: Cursor): ControlBody[] {
  return [
    { type: 'heartbeat' },
    { type: 'lag', events: 2_000, cursor },
    { type: 'overflow', reason: 'slow_consumer', cursor },
    { type: 'closing', reason: 'shutting_down', cursor },
  ]
}
