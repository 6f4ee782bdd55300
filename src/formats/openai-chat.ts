/**
 * Chat Completions, as OpenAI's clients read them. Tools that Runlet runs itself are not seen; calls of the caller's own
 * tools are. https://platform.openai.com/docs/api-reference/chat/streaming
 */
import type { Batch } from '../core/batch.ts'
import { formatCursor, type Cursor, type Epoch } from '../core/cursor.ts'
import type { ErrorBody } from '../core/error.ts'
import { isTerminal, type Entry, type RunEvent, type TerminalEvent, type Usage } from '../core/event.ts'
import type { RunView } from '../core/fold.ts'
import type { ControlRecord, Encoder, Format, FormatOptions } from '../core/format.ts'
import type { RunHeader } from '../core/log.ts'
import { callDeltas, Chunks, framesOf, type Delta, type Frames } from './openai-chat/chunks.ts'
import { cancelledError, openaiError } from './openai-chat/error.ts'
import { nothingSaid, saidIn, type Said } from './openai-chat/place.ts'
import { openaiUsage } from './openai-chat/usage.ts'
import { openaiAnnotation, openaiFinish } from './openai-chat/words.ts'

/**
 * Each entry gives at most one chunk, whose id is its cursor, so that a client that was cut off reads on exactly. An
 * answer ends with its `finish_reason`, the usage where it was asked for, and `[DONE]`; a run that failed or was
 * cancelled with an error, and no `[DONE]`.
 */
export const openaiChat: Format = {
  name: 'openai-chat',
  framings: ['sse', 'ndjson'],
  stateful: true,
  waitsForEnd: true,
  open: (run, options) => new ChatEncoder(run, options),
}

/** How the run ended, as far as this reader's last words depend on it. */
type Ending =
  | { readonly type: 'answered'; readonly usage: Usage | undefined }
  /** `told`: on this connection. */
  | { readonly type: 'failed'; readonly error: Failure; readonly told: boolean }

type Failure = Pick<ErrorBody, 'code' | 'reason' | 'message'>

/** A class, since the closures of a thousand idle readers add up. */
class ChatEncoder implements Encoder {
  readonly #run: RunHeader
  readonly #chunks: Chunks
  readonly #frames: Frames
  readonly #start: Uint8Array
  readonly #mayReset: boolean
  readonly #includeUsage: boolean
  #epoch: Epoch
  #seq = 0
  #held: Said = nothingSaid
  /** Number of calls that were handed to the caller. */
  #calls = 0
  #ending: Ending | undefined
  /** Entries are missing, which was told: what came behind them would be taken for the rest. */
  #broken = false

  constructor(run: RunHeader, options: FormatOptions) {
    const { framing, view, retryMs, mayReset = false, includeUsage = false } = options
    this.#run = run
    this.#chunks = new Chunks(run)
    this.#frames = framesOf(options)
    this.#start = framing === 'sse' && retryMs !== undefined ? Buffer.from(`retry: ${retryMs}\n\n`) : nothing
    this.#mayReset = mayReset
    this.#includeUsage = includeUsage
    this.#epoch = run.cursor.epoch
    if (view) this.#comeBack(view)
  }

  get contentType(): string {
    return this.#frames.contentType
  }

  /** Nothing, unless it was asked for: some clients take whatever is no chunk for a broken one. */
  start(): Uint8Array {
    return this.#start
  }

  batch(batch: Batch): Uint8Array {
    if (this.#broken) return nothing
    this.#epoch = batch.epoch
    this.#seq = batch.last
    const { event } = batch.entries.at(-1)!
    if (isTerminal(event)) this.#ending = endingOf(event, this.#run, { told: true })
    const shared = !this.#mayReset && batch.entries.every(isStateless)
    return shared
      ? batch.encoded(this.#frames.key, this.#encodeShared)
      : this.#encode(batch, (next) => this.#next(next))
  }

  control(record: ControlRecord): Uint8Array {
    if (this.#broken) return nothing
    switch (record.type) {
      case 'heartbeat':
        return Buffer.from(this.#frames.heartbeat(this.#chunks))
      case 'snapshot':
        return this.#snapshot(record.cursor, record.view as RunView)
      case 'gap':
        this.#broken = true
        return this.#failure(this.#place, missingError(record))
      case 'overflow':
      case 'closing':
        return this.#failure(record.cursor, interruptedError(this.#run, record))
      default: {
        const place = 'cursor' in record ? { cursor: formatCursor(record.cursor) } : {}
        return Buffer.from(this.#frames.aside(this.#chunks, { ...record, ...place }))
      }
    }
  }

  end(): Uint8Array {
    if (this.#broken || !this.#ending) return nothing
    if (this.#ending.type === 'failed') {
      // Who comes back to a failed run, with nothing left to read, must not take that for the end of an answer.
      return this.#ending.told ? nothing : this.#failure(this.#place, this.#ending.error)
    }
    const { usage } = this.#ending
    const counted = this.#includeUsage && usage ? this.#chunks.aside({ usage: openaiUsage(usage) }) : undefined
    const told = counted === undefined ? '' : this.#frames.frame(this.#place, counted)
    return Buffer.from(told + this.#frames.done(this.#place))
  }

  get #place(): Cursor {
    return { epoch: this.#epoch, seq: this.#seq }
  }

  readonly #encodeShared = (batch: Batch) => this.#encode(batch, (event) => spelled(this.#chunks, event, this.#run))

  #encode(batch: Batch, spell: (event: RunEvent) => string | undefined): Uint8Array {
    const { epoch } = batch
    let out = ''
    for (const { seq, event } of batch.entries) {
      const json = spell(event)
      if (json !== undefined) out += this.#frames.frame({ epoch, seq }, json)
    }
    return Buffer.from(out)
  }

  /** The chunk of an event to a reader who has read everything before it. */
  #next(event: RunEvent): string | undefined {
    const held = this.#held
    switch (event.type) {
      case 'tool.call':
        this.#held = { ...held, calls: [...held.calls, { call_id: event.call_id, ...event.tool_call }] }
        return undefined
      case 'tool.result':
        this.#held = { ...held, calls: held.calls.filter(({ call_id }) => call_id !== event.call_id) }
        return undefined
      case 'step.reset':
        this.#held = nothingSaid
        return undefined
      case 'step.end':
        return this.#settle()
      case 'finish':
      case 'error': {
        const ending = endingOf(event, this.#run, { told: true })
        if (ending.type === 'failed') return this.#chunks.error(openaiError(ending.error), saying(held))
        break
      }
      default:
        if (this.#mayReset) return this.#hold(event)
    }
    return spelled(this.#chunks, event, this.#run)
  }

  /** Keeps what may still be voided. What is no part of the answer itself is not worth keeping. */
  #hold(event: RunEvent): string | undefined {
    const held = this.#held
    if (event.type === 'text.delta') this.#held = { ...held, text: held.text + event.text }
    else if (event.type === 'reasoning.delta') this.#held = { ...held, reasoning: held.reasoning + event.text }
    else if (event.type === 'start') return spelled(this.#chunks, event, this.#run)
    return undefined
  }

  /** The step is over: what it said stands, and calls that nobody answered are the caller's. */
  #settle(): string | undefined {
    const delta = saying(this.#held, this.#calls)
    this.#calls += this.#held.calls.length
    this.#held = nothingSaid
    return Object.keys(delta).length === 0 ? undefined : this.#chunks.delta(delta)
  }

  /** Takes the place of one who has read up to `view`; gives what was said to them. */
  #comeBack(view: RunView): Delta {
    const { settled, held } = saidIn(view, this.#mayReset)
    this.#seq = view.seq
    this.#held = held
    this.#calls = settled.calls.length
    this.#ending = endingIn(view, this.#run)
    return saying(settled, 0)
  }

  /** Everything so far as one chunk: what those that it stands for come to. */
  #snapshot(cursor: Cursor, view: RunView): Uint8Array {
    this.#epoch = cursor.epoch
    const delta = { role: 'assistant', ...this.#comeBack(view) } as const
    const { finish_reason } = view
    const finish = finish_reason === undefined || finish_reason === 'cancelled' ? null : openaiFinish[finish_reason]
    return Buffer.from(this.#frames.frame(cursor, this.#chunks.delta(delta, finish)))
  }

  #failure(place: Cursor, error: Failure): Uint8Array {
    return Buffer.from(this.#frames.frame(place, this.#chunks.error(openaiError(error))))
  }
}

const nothing = new Uint8Array()

/** Whether the chunk of an entry is the same for every reader. */
function isStateless({ event }: Entry): boolean {
  switch (event.type) {
    case 'tool.call':
    case 'tool.result':
    case 'step.reset':
      return false
    case 'step.end':
      return event.finish_reason !== 'tool_calls'
    default:
      return true
  }
}

/** The chunk of an event, where nothing that came before it matters; undefined where OpenAI has no word for it. */
function spelled(chunks: Chunks, event: RunEvent, run: RunHeader): string | undefined {
  switch (event.type) {
    case 'start':
      return chunks.delta({ role: 'assistant', content: '' })
    case 'text.delta':
      return chunks.text('content', event.text)
    case 'reasoning.delta':
      return chunks.text('reasoning_content', event.text)
    case 'citations':
      return chunks.delta({ annotations: event.citations.map(openaiAnnotation) })
    case 'provider.fields':
      return chunks.fields(event.fields)
    case 'error':
      return chunks.error(openaiError(event.error))
    case 'finish':
      if (event.finish_reason === 'cancelled') return chunks.error(openaiError(cancelledError(run.run_id)))
      return chunks.delta({}, openaiFinish[event.finish_reason])
    default:
      return undefined
  }
}

/** What adds this to an answer; calls are numbered from `from` on. */
function saying({ text, reasoning, calls }: Said, from = 0): Delta {
  return {
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(text === '' ? {} : { content: text }),
    ...(calls.length > 0 ? { tool_calls: callDeltas(calls, from) } : {}),
  }
}

function endingOf(event: TerminalEvent, { run_id }: RunHeader, { told }: { readonly told: boolean }): Ending {
  if (event.type === 'error') return { type: 'failed', error: event.error, told }
  if (event.finish_reason === 'cancelled') return { type: 'failed', error: cancelledError(run_id), told }
  return { type: 'answered', usage: event.usage }
}

function endingIn({ error, finish_reason, usage }: RunView, { run_id }: RunHeader): Ending | undefined {
  if (error) return { type: 'failed', error, told: false }
  if (finish_reason === 'cancelled') return { type: 'failed', error: cancelledError(run_id), told: false }
  return finish_reason && { type: 'answered', usage }
}

function missingError({ from, to, reason }: Extract<ControlRecord, { type: 'gap' }>): Failure {
  const what = reason === 'corrupt' ? 'are damaged in the store' : 'were lost by the store'
  return { code: 'internal', reason, message: `events ${from} to ${to} of the run ${what}, so the answer has a hole` }
}

/** The connection ends, the run does not; to OpenAI's clients a plain end would be the end of the answer. */
function interruptedError(
  { run_id }: RunHeader,
  { reason, cursor }: Extract<ControlRecord, { type: 'overflow' | 'closing' }>,
): Failure {
  const back = `GET /v1/runs/${run_id}/events?format=openai-chat with Last-Event-ID: ${formatCursor(cursor)}`
  return {
    code: 'internal',
    reason: 'stream_interrupted',
    message: `the server ends this connection (${reason}), not the run; read on with ${back}`,
  }
}
