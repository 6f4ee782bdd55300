import { RunletError } from '../core/error.ts'
import type { RunEvent, StopReason, Usage } from '../core/event.ts'
import { isContent, type ProviderEvent } from '../core/provider.ts'
import type { RunContext } from './context.ts'
import { watchStall } from './stall.ts'
import type { ToolCall } from './tools.ts'

/** What one call of the model came to. */
export interface Answer {
  readonly reason: StopReason
  /** The model that answered, as it names itself. */
  readonly model: string | undefined
  readonly usage: Usage | undefined
  /** In the provider's order. Empty unless `reason` is `tool_calls`. */
  readonly calls: readonly ToolCall[]
}

/** How far an attempt came, for the decision whether another may follow. */
export interface Progress {
  /** Content of this attempt is in the log, so that a reader may have seen it. */
  shown: boolean
}

/**
 * Calls the model once and writes down what it says, one append per network read. Returns only after the provider's
 * own end; throws its error, the stall's, or the run's stop, and leaves no stream open behind it.
 */
export async function attempt(run: RunContext, step: number, progress: Progress): Promise<Answer> {
  const call = new AbortController()
  const halt = () => call.abort(run.signal.reason)
  if (run.signal.aborted) halt()
  else run.signal.addEventListener('abort', halt, { once: true })
  const { firstContentMs, idleMs } = run.limits
  const stall = watchStall({ clock: run.clock, firstContentMs, idleMs, onStall: (error) => call.abort(error) })

  const messages = [...run.history, ...run.journal.view.messages]
  const own = [...run.tools.values()].map(({ tool }) => tool)
  const tools = [...own, ...run.handedBack].map(({ name, description, parameters, strict }) => ({
    name,
    description,
    parameters,
    ...(strict === undefined ? {} : { strict }),
  }))
  const request = { model: run.model, messages, tools, options: run.options }
  const calls: ToolCall[] = []
  let model: string | undefined
  let chars = 0

  try {
    for await (const events of untilAborted(
      run.provider.stream(request, { signal: call.signal, caller: run.caller }),
      call.signal,
    )) {
      const written: RunEvent[] = []
      let done: Extract<ProviderEvent, { type: 'done' }> | undefined
      for (const event of events) {
        progress.shown ||= isContent(event)
        if ('text' in event) chars += event.text.length
        if (event.type === 'start') model = event.model
        else if (event.type === 'done') done = event
        // Held until the provider's end: a call of an answer that is cut or broken is never made, so it is not told.
        else if (event.type === 'tool_call') calls.push(event)
        else written.push(toRunEvent(event, step))
      }
      if (events.some(isContent)) stall.content()
      if (chars > run.limits.answerChars) throw tooLong(run)
      if (done) {
        const reason = stopReason(done.reason, calls.length)
        const made = reason === 'tool_calls' ? calls : []
        for (const { call_id, name, input } of made) {
          if (run.awaited.has(name)) run.inbox.expect(call_id)
          written.push({ type: 'tool.call', step, call_id, tool_call: { name, input } })
        }
        if (written.length > 0) await run.journal.append(written)
        return { reason, model, usage: done.usage, calls: made }
      }
      if (written.length > 0) await run.journal.append(written)
    }
  } finally {
    stall.stop()
    run.signal.removeEventListener('abort', halt)
  }
  throw new RunletError('network', {
    reason: 'stream_eof_before_done',
    message: `${run.providerName} ended its stream before its own end mark; the answer is incomplete`,
    provider: run.providerName,
  })
}

function tooLong({ providerName, limits }: RunContext): RunletError {
  return new RunletError('network', {
    reason: 'answer_too_long',
    message: `${providerName} did not come to an end within ${limits.answerChars} characters; set max_tokens, or raise limits.answerChars if such an answer is wanted`,
    provider: providerName,
    temporary: false,
  })
}

/**
 * Hands on what the stream yields, and throws the signal's reason at once when it aborts, whether the stream reacts or
 * not. A stream that is left behind is told to return; what it still does is nobody's business any more.
 */
async function* untilAborted<T>(stream: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  const iterator = stream[Symbol.asyncIterator]()
  let refuse: ((reason: unknown) => void) | undefined
  const onAbort = () => refuse?.(signal.reason)
  signal.addEventListener('abort', onAbort)
  let ended = false
  try {
    for (;;) {
      signal.throwIfAborted()
      const result = await new Promise<IteratorResult<T>>((resolve, reject) => {
        refuse = reject
        iterator.next().then(resolve, reject)
      }).catch((error: unknown) => {
        ended = !signal.aborted
        throw error
      })
      if (result.done) {
        ended = true
        return
      }
      yield result.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (!ended) iterator.return?.().catch(() => {})
  }
}

/** Some servers say `stop` though they ask for tools (Ollama), some `tool_calls` though they do not. */
function stopReason(said: StopReason, calls: number): StopReason {
  if (said === 'stop' && calls > 0) return 'tool_calls'
  return said === 'tool_calls' && calls === 0 ? 'stop' : said
}

function toRunEvent(event: Exclude<ProviderEvent, { type: 'start' | 'tool_call' | 'done' }>, step: number): RunEvent {
  switch (event.type) {
    case 'text':
      return { type: 'text.delta', step, text: event.text }
    case 'reasoning':
      return { type: 'reasoning.delta', step, text: event.text }
    case 'tool_call_delta':
      return { type: 'tool.call.delta', step, call_id: event.call_id, name: event.name, json: event.json }
    case 'citations':
      return { type: 'citations', step, citations: event.citations }
    case 'safety': {
      const { type, ...safety } = event
      return { type, step, safety }
    }
    case 'audio':
      return { type: 'audio.delta', step, audio: { chunk: event.chunk, format: event.format } }
    case 'fields':
      return { type: 'provider.fields', step, fields: event.fields }
    case 'status':
    case 'warning':
      return event
  }
}
