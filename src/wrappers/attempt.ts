import { RunletError } from '../core/error.ts'
import { isContent, type ProviderEvent } from '../core/provider.ts'

/** What an attempt handed on. */
export interface AttemptState {
  /** Something that cannot be taken back: nothing may be asked in its place any more. */
  committed: boolean
}

/** Events before the first content that are held at most; an attempt that says more is committed. */
const MAX_HELD = 64

/**
 * One of several attempts at an answer, of which only one may be seen. `start` and `fields` are held back until the
 * first content or the end, what is told while waiting goes through at once, and from then on arrays are handed on as
 * they come. Throws `network` with `stream_eof_before_done` where the stream ends without its `done`.
 */
export async function* attempt(
  stream: AsyncIterable<readonly ProviderEvent[]>,
  state: AttemptState,
): AsyncGenerator<readonly ProviderEvent[], void, undefined> {
  let held: ProviderEvent[] = []
  let done = false
  for await (const events of stream) {
    done = events.at(-1)?.type === 'done'
    if (state.committed) {
      yield events
      continue
    }
    const settled = events.some((event) => isContent(event) || event.type === 'done')
    if (settled || held.length + events.length > MAX_HELD) {
      state.committed = true
      yield held.length > 0 ? [...held, ...events] : events
      held = []
      continue
    }
    const told = events.filter(isNotice)
    held.push(...events.filter((event) => !isNotice(event)))
    if (told.length > 0) yield told
  }
  if (done) return
  throw new RunletError('network', {
    reason: 'stream_eof_before_done',
    message: 'the provider ended its stream before its own end mark; the answer is incomplete',
  })
}

const isNotice = ({ type }: ProviderEvent) => type === 'status' || type === 'warning'
