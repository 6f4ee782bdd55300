import { v7 as uuidv7 } from 'uuid'
import type { Durability, RunEvent } from '../../src/core/event.ts'
import type { Log, NewRun, RunHeader } from '../../src/core/log.ts'

/** A run as the engine begins it: three entries. */
export function newRun(durability: Durability): { readonly run: string; readonly first: NewRun } {
  const run = uuidv7()
  return {
    run,
    first: {
      start: {
        type: 'start',
        trace_id: run,
        request_id: run,
        run_id: run,
        session_id: run,
        provider: 'bench',
        model: 'bench',
        durability,
        capabilities: [],
      },
      events: [
        { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: 'Go on.' } },
        { type: 'step.start', step: 1, attempt: 1 },
      ],
      request: { messages: [], prompt: 'Go on.', options: {}, tools: [] },
    },
  }
}

/** A run that ended after so many deltas, appended in batches of that size. */
export async function storedRun(log: Log, deltas: number, perBatch: number): Promise<RunHeader> {
  const { run, first } = newRun(log.levels.includes('os') ? 'os' : 'memory')
  await log.create(first)
  const delta: RunEvent = { type: 'text.delta', step: 1, text: ' token@' }
  for (let made = 0; made < deltas; made += perBatch) {
    await log.append(
      run,
      1,
      Array.from({ length: Math.min(perBatch, deltas - made) }, () => delta),
    )
  }
  const usage = { input_tokens: 2, output_tokens: deltas, total_tokens: deltas + 2, accuracy: 'exact' } as const
  await log.append(run, 1, [
    { type: 'step.end', step: 1, finish_reason: 'stop', usage },
    { type: 'turn.end', turn: 1, reason: 'stop' },
    { type: 'finish', usage, finish_reason: 'stop' },
  ])
  return (await log.find(run))!.header
}
