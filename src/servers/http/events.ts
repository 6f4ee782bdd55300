import type { Context } from 'hono'
import { parseCursor, type Cursor } from '../../core/cursor.ts'
import { RunletError } from '../../core/error.ts'
import type { HttpEnv, Route } from './env.ts'
import { readFlag, readQuery } from './query.ts'
import { eventFraming, readSpelling, spellingParameters } from './spelling.ts'
import { streamRun } from './stream.ts'

/** `GET /v1/runs/{id}/events`: the run from any place on, live. */
export const readEvents: Route = {
  method: 'GET',
  path: '/v1/runs/:id/events',
  async handle(c, http) {
    const query = readQuery(c.req.url, ['after', 'snapshot', ...spellingParameters])
    const spelling = readSpelling(query, eventFraming(c), http.formats)
    const snapshot = readFlag('snapshot', query.snapshot) ?? false
    const asked = query.after === undefined ? undefined : parseCursor(query.after)
    if (asked && snapshot) {
      throw new RunletError('invalid_request', {
        reason: 'cursor_and_snapshot',
        message: 'after and snapshot=1 exclude each other: give the place to read on from, or begin with the state',
      })
    }
    // A browser that comes back repeats the URL of its first visit; how far it got stands in the header.
    const last = lastEventId(c)
    const run = await http.runtime.find(c.req.param('id') ?? '')
    c.set('runId', run.id)
    return streamRun(c, http, run, { spelling, after: last ?? asked, snapshot: snapshot && !last })
  },
}

/** Where a client that was here before got to. Empty is what some send before the first event. */
export function lastEventId(c: Context<HttpEnv>): Cursor | undefined {
  const id = c.req.header('last-event-id')
  return id === undefined || id === '' ? undefined : parseCursor(id)
}
