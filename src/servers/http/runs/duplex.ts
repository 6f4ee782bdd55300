/**
 * A request body that goes on while its answer streams: lines of JSON, a start first, then inputs to the run. What
 * becomes of a line is told in the answer, by control records.
 */
import { RunletError, errorBody, toRunletError } from '../../../core/error.ts'
import type { ControlBody } from '../../../core/format.ts'
import type { JsonObject } from '../../../core/json.ts'
import { boundedJson } from '../../../wire/json.ts'
import { ndjsonLines, type ReadLine } from '../../../wire/ndjson.ts'
import type { HttpContext } from '../env.ts'
import { checkCodings, clientClosed } from '../requests/body.ts'
import { readInput, sendInput } from './input-body.ts'
import { utf8Faults } from './utf8-faults.ts'

/** The lines of a request, read no faster than they are asked for. */
export interface InputLines {
  /** The first object. Throws `invalid_request` with what is wrong with it, or reason `no_start`. */
  first(): Promise<JsonObject>
  /** What comes behind it. Ends with the body, and with `finish` and `stop`; throws when the connection breaks. */
  rest(): AsyncIterable<ReadLine>
  /** Only what has arrived by now is still read. */
  finish(): void
  /** Nothing more is read. */
  stop(): void
}

/** The way to talk to the reader of a stream, as long as that goes on. */
export interface ReaderLink {
  /** Resolves once its connection had room for it. */
  tell(record: ControlBody): Promise<void>
  /** The end mark of the stream, once there is only that to come, waits for this. It must not reject. */
  beforeEnd(settle: () => Promise<void>): void
  /** Aborts when the stream has ended, or its connection. */
  readonly signal: AbortSignal
}

const mediaType = /^application\/(?:x-ndjson|ndjson|jsonl)\s*(?:;|$)/i

/** Whether a request says that its body is lines. */
export function sendsLines({ headers }: Request): boolean {
  return mediaType.test(headers.get('content-type') ?? '')
}

/** Begins to read a request as lines of at most `maxBytes`. Throws as `checkCodings`. */
export function inputLines(request: Request, maxBytes: number): InputLines {
  checkCodings(request)
  const reader = request.body?.getReader()
  const arrivals = reader && arrivalsOf(reader)
  const lines = readLines(arrivals, maxBytes)
  return {
    async first() {
      const { value: line } = await lines.next().catch((thrown: unknown) => {
        throw clientClosed(thrown)
      })
      if (line && 'record' in line) return line.record as JsonObject
      throw line
        ? line.error
        : new RunletError('invalid_request', {
            reason: 'no_start',
            message: 'the body has no line; its first one is the object that a POST of application/json would be',
          })
    },
    rest: () => lines,
    finish: () => arrivals?.finish(),
    stop: () => void reader?.cancel().catch(() => {}),
  }
}

/**
 * Hands each line to the run, one after the other, and tells the reader what became of it. The end mark of the answer
 * waits until that is told of every line that has arrived. Never rejects.
 */
export async function takeInputs(
  input: InputLines,
  run: string,
  { link, http }: { readonly link: ReaderLink; readonly http: Pick<HttpContext, 'runtime' | 'onDiagnostic'> },
): Promise<void> {
  if (link.signal.aborted) return input.stop()
  let entriesOver: (() => void) | undefined
  const over = new Promise<void>((resolve) => (entriesOver = resolve))
  const stop = () => {
    input.stop()
    entriesOver?.()
  }
  link.signal.addEventListener('abort', stop, { once: true })
  const settled = takeLines()
  link.beforeEnd(() => {
    input.finish()
    entriesOver?.()
    return settled
  })
  return settled

  async function takeLines(): Promise<void> {
    try {
      for await (const line of input.rest()) {
        const told = await outcome(line, run, http)
        // What a cancel leads to is the end of the entries, and is told behind it.
        if (told.type === 'input_accepted' && told.input === 'cancel') await over
        await link.tell(told)
      }
    } catch {
      // The connection broke. The reader on it notices by itself, and that is no concern of the run.
    }
  }
}

async function outcome(
  line: ReadLine,
  run: string,
  { runtime, onDiagnostic }: Pick<HttpContext, 'runtime' | 'onDiagnostic'>,
): Promise<ControlBody> {
  const { number } = line
  try {
    if ('error' in line) throw line.error
    const { value: input, unknown } = readInput(line.record as JsonObject)
    await sendInput(runtime, run, input)
    return {
      type: 'input_accepted',
      line: number,
      input: input.type,
      ...(unknown.length === 0 ? {} : { unknown_members: unknown }),
    }
  } catch (thrown) {
    const error = toRunletError(thrown)
    if (error.status >= 500) {
      const message = `line ${number} of a request to run ${run} failed: ${error.reason}`
      onDiagnostic({ level: 'error', code: 'input_failed', message, run_id: run, cause: thrown })
    }
    return { type: 'input_error', line: number, error: errorBody(error) }
  }
}

/** The bytes of a body as they come. */
interface Arrivals {
  next(): Promise<IteratorResult<Uint8Array>>
  finish(): void
}

function arrivalsOf(reader: ReadableStreamDefaultReader<Uint8Array>): Arrivals {
  let finishing = false
  let giveUp: (() => void) | undefined
  return {
    next: () =>
      new Promise((resolve, reject) => {
        giveUp = () => void turnsOfLoop(3).then(() => resolve({ done: true, value: undefined }))
        reader.read().then((chunk) => resolve(chunk as IteratorResult<Uint8Array>), reject)
        if (finishing) giveUp?.()
      }),
    finish() {
      finishing = true
      giveUp?.()
    },
  }
}

/** What lies in a socket's buffer takes a turn or two on its way through the streams of Node and of the web. */
async function turnsOfLoop(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

async function* readLines(arrivals: Arrivals | undefined, maxBytes: number): AsyncGenerator<ReadLine, void, undefined> {
  if (!arrivals) return
  const faults = utf8Faults()
  const chunks: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const chunk = await arrivals.next()
        if (chunk.done !== true) faults.push(chunk.value)
        return chunk
      },
    }),
  }
  for await (const lines of ndjsonLines(chunks, { maxBytes })) {
    for (const line of lines) yield faults.take(line.number) ? badUtf8(line.number) : bounded(line)
  }
  // Behind a line that is too long nothing can be read, but whoever sends more must not wait for ever.
  while (!(await arrivals.next()).done);
}

/** A line whose object could be received, but not stored, is none. */
function bounded(line: ReadLine): ReadLine {
  if ('error' in line) return line
  try {
    boundedJson(line.record)
    return line
  } catch (thrown) {
    return { number: line.number, error: toRunletError(thrown) }
  }
}

function badUtf8(number: number): ReadLine {
  const error = new RunletError('invalid_request', { reason: 'bad_utf8', message: `line ${number} is not UTF-8` })
  return { number, error }
}
