import { Batch } from '../core/batch.ts'
import { RunletError, errorFromBody } from '../core/error.ts'
import type { RunEvent, RunId } from '../core/event.ts'
import { emptyView, fold, lastAnswer } from '../core/fold.ts'
import type { Log, StoredRun } from '../core/log.ts'
import { quoted } from '../core/quote.ts'
import type { Run, Runtime } from './runtime.ts'
import { storedView } from './session.ts'

/** A run as seen through the log alone: it does not matter where it lives. */
export function runHandle(
  log: Log,
  runtime: Pick<Runtime, 'cancel' | 'send'>,
  stored: StoredRun,
  { replayed }: { readonly replayed: boolean },
): Run {
  const { run_id: id, session_id: sessionId } = stored.header
  return {
    id,
    sessionId,
    replayed,
    header: async () => (await found(log, id)).header,
    read: (options) => log.read(id, { follow: true, ...options }),
    text: (options) => visibleText(log, stored, options?.signal),
    async result(options) {
      let view = emptyView
      for await (const record of log.read(id, { follow: true, ...options })) {
        if (record instanceof Batch) view = fold(view, record.entries)
        else throw lost(id)
      }
      options?.signal?.throwIfAborted()
      if (view.error) throw errorFromBody(view.error)
      return lastAnswer(view) ?? { role: 'assistant', parts: [] }
    },
    mayReset: stored.request.on_interrupt === 'restart',
    view: (options) => storedView(log, id, options?.upTo),
    cancel: (options) => runtime.cancel(id, options),
    send: (request) => runtime.send(id, request),
  }
}

/** What the log knows of a run. Throws `not_found` with reason `run_unknown`. */
export async function found(log: Log, run: RunId): Promise<StoredRun> {
  const stored = await log.find(run)
  if (stored) return stored
  throw runUnknown(run)
}

/** Also told to those who may not know that there is such a run. */
export const runUnknown = (run: RunId) =>
  new RunletError('not_found', {
    reason: 'run_unknown',
    message: `there is no run ${quoted(run)} in this store`,
  })

/** The text of a run as it comes, one piece per batch. Text that a reset may take back is held until its step ends. */
async function* visibleText(log: Log, stored: StoredRun, signal?: AbortSignal): AsyncGenerator<string> {
  const hold = stored.request.on_interrupt === 'restart'
  let text = ''
  for await (const record of log.read(stored.header.run_id, { follow: true, ...(signal ? { signal } : {}) })) {
    if (!(record instanceof Batch)) throw lost(record.run)
    let safe = !hold
    for (const { event } of record.entries) {
      if (event.type === 'text.delta') text += event.text
      else if (event.type === 'step.reset') text = ''
      else if (hold && endsStep(event)) safe = true
      if (event.type === 'error') {
        if (text !== '') yield text
        throw errorFromBody(event.error)
      }
    }
    if (safe && text !== '') {
      yield text
      text = ''
    }
  }
  signal?.throwIfAborted()
}

const endsStep = ({ type }: RunEvent) => type === 'step.end' || type === 'finish'

const lost = (run: RunId) =>
  new RunletError('internal', {
    reason: 'corrupt',
    message: `part of run ${run} is damaged in the store and cannot be read; "runlet show ${run}" tells which`,
  })
