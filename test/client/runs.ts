import { Batch } from '../../src/core/batch.ts'
import { RunletError } from '../../src/core/error.ts'
import type { Entry, RunEvent } from '../../src/core/event.ts'
import type { Gap } from '../../src/core/log.ts'

/** How the runs of these tests end. */
export const finish: RunEvent = {
  type: 'finish',
  usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2, accuracy: 'exact' },
  finish_reason: 'stop',
}

/** Entries `first` to `last` of a run of ten, the tenth of which ends it. Entry 3 opens a step; `ts` is its seq in seconds. */
export function batch(first: number, last: number, { epoch = 1, run = 'run' } = {}): Batch {
  const entries = Array.from({ length: last - first + 1 }, (_, i): Entry => {
    const seq = first + i
    return { seq, ts: 1_000 * seq, event: eventAt(seq) }
  })
  return Batch.of(run, epoch, entries)
}

function eventAt(seq: number): RunEvent {
  if (seq === 10) return finish
  if (seq === 3) return { type: 'step.start', step: 1, attempt: 1 }
  if (seq < 3) return { type: 'status', code: 'x', message: 'x' }
  return { type: 'text.delta', step: 1, text: String(seq) }
}

export const gap = (from: number, to: number): Gap => ({ type: 'gap', run: 'run', from, to, reason: 'corrupt' })
export const broken = () => new RunletError('network', { message: 'broken' })
