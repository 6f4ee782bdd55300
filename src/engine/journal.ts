import type { Epoch } from '../core/cursor.ts'
import type { Entry, RunEvent, RunId } from '../core/event.ts'
import { fold, type RunView } from '../core/fold.ts'
import type { Log } from '../core/log.ts'
import type { OrderCheck } from '../core/order.ts'

/** The one way by which a run writes: in legal order, one append at a time, folding what it wrote. */
export interface Journal {
  /**
   * Adds events and resolves once they are durable. Calls that come while an append is under way travel together in
   * the next one. Throws if the order is illegal (nothing is added then), and what the log throws.
   */
  append(events: readonly RunEvent[]): Promise<void>
  /** Everything appended so far, folded; what is still on its way to the log included. */
  readonly view: RunView
}

export interface JournalOptions {
  readonly log: Log
  readonly run: RunId
  readonly epoch: Epoch
  /** Has accepted what is in the log already. */
  readonly order: OrderCheck
  /** Folds what is in the log already. */
  readonly view: RunView
  /** Told of what was appended, once it is durable. */
  readonly onAppended?: ((events: readonly RunEvent[], appendMs: number) => void) | undefined
}

export function openJournal({ log, run, epoch, order, onAppended, ...from }: JournalOptions): Journal {
  let view = from.view
  let waiting: RunEvent[] = []
  let underway: Promise<void> | undefined
  let next: Promise<void> | undefined

  function write(): Promise<void> {
    underway = writeWaiting()
    return underway
  }

  async function writeWaiting(): Promise<void> {
    const events = waiting
    waiting = []
    next = undefined
    const begun = onAppended ? performance.now() : 0
    await log.append(run, epoch, events)
    onAppended?.(events, performance.now() - begun)
    if (waiting.length === 0) underway = undefined
  }

  return {
    append(events) {
      for (const event of events) order.accept(event)
      view = fold(view, asEntries(events, view.seq))
      waiting = waiting.length === 0 ? [...events] : [...waiting, ...events]
      // A failed append fails those that wait behind it: what follows a hole must not be written.
      if (underway) return (next ??= underway.then(write))
      return write()
    },
    get view() {
      return view
    },
  }
}

/** Events as the log will number them. Their times do not matter to `fold`. */
function asEntries(events: readonly RunEvent[], seq: number): Entry[] {
  return events.map((event, i) => ({ seq: seq + i + 1, ts: 0, event }))
}
