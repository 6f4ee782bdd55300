import type { Ask } from '../load/line.ts'
import type { Dialect, Listening } from './relay.ts'

/** The request that a relay wants, with what it asked its clients to send along. */
export function askFor({ ask }: Dialect, { headers }: Listening): Ask {
  return { ...ask, headers: { ...ask.headers, ...headers } }
}
