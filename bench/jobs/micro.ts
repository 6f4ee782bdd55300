/** Single steps of the way of an event, in batches of 64, as they are on the way. */
import { Batch } from '../../src/core/batch.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { Entry } from '../../src/core/event.ts'
import { emptyView, fold, outputText } from '../../src/core/fold.ts'
import type { Framing } from '../../src/core/format.ts'
import type { ProviderEvent } from '../../src/core/provider.ts'
import { idSource } from '../../src/engine/id.ts'
import { gai } from '../../src/formats/gai.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { chatAnswer } from '../../src/providers/openai-chat/answer.ts'
import { chatError } from '../../src/providers/openai-chat/errors.ts'
import { callIds } from '../../src/providers/shared/call-ids.ts'
import { codeOfStatus } from '../../src/core/error.ts'
import type { JsonRecord } from '../../src/wire/json.ts'
import { answerFrames, tokenText } from '../source/body.ts'
import { expectSame, type Job } from './job.ts'
import { newRun, storedRun } from './runs.ts'

const BATCH = 64
const TIMES = 100
const RUN = '01920000-0000-7000-8000-000000000000'

const place = { run: RUN, epoch: 1, first: 4, last: 3 + BATCH }
const peer = { provider: 'openai-chat', name: 'the source', redact: (words: string) => words }

/** Text as it is in most batches, or with characters that take several bytes in some of its tokens. */
export type Text = 'ascii' | 'mixed'

function entries(text: Text): Entry[] {
  return Array.from({ length: BATCH }, (_, i) => ({
    seq: i + 4,
    ts: 1_770_933_892_000,
    event: { type: 'text.delta', step: 1, text: text === 'ascii' ? ' token' : tokenText(i) },
  }))
}

async function encoder(framing: Framing) {
  return gai.open(await storedRun(memoryLog(), 1, 1), { framing, compact: true })
}

/** From the stored lines to the frames' bytes. */
export const sseFrame =
  (text: Text): Job =>
  async () => {
    const lines = Batch.of(RUN, 1, entries(text)).lines
    const sse = await encoder('sse')
    const size = sse.batch(Batch.stored(place, lines)).length
    return () => {
      for (let i = 0; i < TIMES; i++) expectSame('bytes', sse.batch(Batch.stored(place, lines)).length, size)
      return TIMES * BATCH
    }
  }

/** From the events to the lines' bytes. */
export const ndjsonLine =
  (text: Text): Job =>
  async () => {
    const made = entries(text)
    const ndjson = await encoder('ndjson')
    const size = Buffer.byteLength(Batch.of(RUN, 1, made).lines)
    return () => {
      for (let i = 0; i < TIMES; i++) expectSame('bytes', ndjson.batch(Batch.of(RUN, 1, made)).length, size)
      return TIMES * BATCH
    }
  }

/** The same by the platform's own means: what an envelope costs that is spelled as an object. */
export const stringify: Job = () => {
  const made = entries('ascii')
  const size = Buffer.byteLength(Batch.of(RUN, 1, made).lines)
  return () => {
    for (let i = 0; i < TIMES; i++) {
      let lines = ''
      for (const { seq, ts, event } of made) {
        const { type, ...body } = event
        lines += `${JSON.stringify({ type, ts, seq, ...body })}\n`
      }
      expectSame('bytes', Buffer.from(lines).length, size)
    }
    return TIMES * BATCH
  }
}

const payloads = () =>
  answerFrames(BATCH)
    .slice(1, -1)
    .map((frame) => frame.slice('data: '.length))

/** From a provider's parsed chunk to an event. */
export const normalise: Job = () => {
  const chunks = payloads().map((payload) => JSON.parse(payload) as JsonRecord)
  return () => {
    for (let i = 0; i < TIMES; i++) {
      const answer = chatAnswer({ peer, model: 'bench', ids: callIds([]) })
      const out: ProviderEvent[] = []
      for (const chunk of chunks) answer.add(chunk, out)
      expectSame('events', out.length, BATCH + 1)
    }
    return TIMES * BATCH
  }
}

export const jsonParse: Job = () => {
  const texts = payloads()
  return () => {
    let objects = 0
    for (let i = 0; i < TIMES; i++) for (const text of texts) objects += typeof JSON.parse(text) === 'object' ? 1 : 0
    expectSame('objects', objects, TIMES * BATCH)
    return objects
  }
}

export const classify: Job = () => {
  const statuses = Array.from({ length: 200 }, (_, i) => 400 + i)
  return () => {
    let temporary = 0
    for (let i = 0; i < TIMES; i++)
      for (const status of statuses) if (codeOfStatus(status) === 'rate_limited') temporary++
    expectSame('rate limits', temporary, TIMES)
    return TIMES * statuses.length
  }
}

const header = (name: string) => (name === 'retry-after' ? '20' : undefined)

/** The whole typed error for what OpenAI says of a rate limit, with its stack. */
export const typedError: Job = () => {
  const error = { message: 'Rate limit reached', type: 'requests', param: null, code: 'rate_limit_exceeded' }
  return () => {
    for (let i = 0; i < TIMES; i++) {
      const { code, retryAfterMs } = chatError(peer, error, { status: 429, header, words: error.message })
      expectSame('the code', code, 'rate_limited')
      expectSame('the wait', retryAfterMs, 20_000)
    }
    return TIMES
  }
}

export const bareError: Job = () => () => {
  for (let i = 0; i < TIMES; i++)
    expectSame('the message', new Error('Rate limit reached').message, 'Rate limit reached')
  return TIMES
}

export const runId: Job = () => {
  const newId = idSource(systemClock)
  const version7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  return () => {
    let id = ''
    for (let i = 0; i < TIMES * BATCH; i++) id = newId()
    expectSame('a UUID of version 7', version7.test(id), true)
    return TIMES * BATCH
  }
}

export const folding: Job = () => {
  const made = entries('ascii')
  const begun = fold(emptyView, [
    {
      seq: 1,
      ts: 0,
      event: { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: 'Go on.' } },
    },
    { seq: 2, ts: 0, event: { type: 'step.start', step: 1, attempt: 1 } },
  ])
  const said = made.map(({ event }) => (event.type === 'text.delta' ? event.text : '')).join('')
  return () => {
    for (let i = 0; i < TIMES; i++) expectSame('the text', outputText(fold(begun, made)), said)
    return TIMES * BATCH
  }
}

/** What a daemon's figures cost: the same text in appends of `perAppend` events. Per append, whatever it holds. */
export const metrics =
  (perAppend = BATCH): Job =>
  () => {
    const { observe, text } = createMetrics({ process: false })
    const made = entries('ascii').map(({ event }) => event)
    const { start, events: opening } = newRun('memory').first
    observe({ start, events: [start, ...opening], appendMs: 0 })
    const events = made.slice(0, perAppend)
    const appends = TIMES * BATCH
    let told = 0
    return async () => {
      for (let i = 0; i < appends; i++) observe({ start, events, appendMs: 0.01 })
      told += appends
      expectSame('appends', appendsIn((await text()).body), told)
      return appends * perAppend
    }
  }

const appendsIn = (body: string) => Number(/^runlet_append_duration_seconds_count\{.*\} (\d+)$/m.exec(body)?.[1])
