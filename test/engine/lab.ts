import { Batch } from '../../src/core/batch.ts'
import type { Entry, RunEvent } from '../../src/core/event.ts'
import { checkOrder } from '../../src/core/order.ts'
import type { Log } from '../../src/core/log.ts'
import type { Tool } from '../../src/core/tool.ts'
import { createRuntime, type Diagnostic, type Run, type Runtime } from '../../src/engine/runtime.ts'
import type { Limits } from '../../src/engine/limits.ts'
import { memoryLog } from '../../src/logs/memory.ts'
import { fakeClock, type FakeClock } from '../../src/testing/fake-clock.ts'
import { scriptedProvider, type Script, type ScriptedProvider } from '../../src/testing/scripted-provider.ts'

/** A runtime on a memory log, a scripted provider named `lab`, and a clock that stands still. */
export interface Lab {
  readonly runtime: Runtime
  readonly provider: ScriptedProvider
  readonly clock: FakeClock
  readonly log: Log
  readonly diagnostics: Diagnostic[]
}

export function lab(
  scripts: readonly Script[],
  options: { readonly tools?: readonly Tool[]; readonly limits?: Partial<Limits> } = {},
): Lab {
  const clock = fakeClock()
  const provider = scriptedProvider(scripts)
  const log = memoryLog({ clock })
  const diagnostics: Diagnostic[] = []
  const runtime = createRuntime({
    providers: { lab: provider },
    log,
    defaultModel: 'lab/scripted',
    clock,
    onDiagnostic: (diagnostic) => diagnostics.push(diagnostic),
    ...options,
  })
  return { runtime, provider, clock, log, diagnostics }
}

/** All entries of a run up to its end, whose order is checked. */
export async function entriesOf(run: Run): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const record of run.read()) {
    if (!(record instanceof Batch)) throw new Error('a gap in a memory log')
    entries.push(...record.entries)
  }
  checkOrder(entries, { ended: true })
  return entries
}

export async function eventsOf(run: Run): Promise<RunEvent[]> {
  return (await entriesOf(run)).map(({ event }) => event)
}

/** The events after those that every run of one step begins with. */
export async function storyOf(run: Run): Promise<RunEvent[]> {
  const [start, turn, step, ...rest] = await eventsOf(run)
  if (start?.type !== 'start' || turn?.type !== 'turn.start' || step?.type !== 'step.start') {
    throw new Error('a run begins with start, turn.start, step.start')
  }
  return rest
}

/** A promise with its handles outside. */
export function gate<T = void>(): { readonly promise: Promise<T>; readonly open: (value: T) => void } {
  let open!: (value: T) => void
  const promise = new Promise<T>((resolve) => {
    open = resolve
  })
  return { promise, open }
}
