import type { Context } from 'hono'
import { z } from 'zod'
import { parseCursor, type Cursor } from '../../../core/cursor.ts'
import { RunletError } from '../../../core/error.ts'
import type { HttpEnv, Route } from '../env.ts'
import { overflowParameters, readOverflow } from '../streams/overflow.ts'
import { readFlag, readQuery } from '../requests/query.ts'
import { eventFraming, readSpelling, spellingParameters } from '../streams/spelling.ts'
import { spellingDoc, streamContent } from './start-doc.ts'
import { streamRun } from '../streams/stream.ts'

/** `GET /v1/runs/{id}/events`: the run from any place on, live. */
export const readEvents: Route = {
  method: 'GET',
  path: '/v1/runs/:id/events',
  readers: true,
  tokenInUrl: true,
  doc: {
    summary: 'Read a run from any place on, live',
    query: {
      after: { description: 'The cursor to read on from, `epoch-seq`. Default: the start.', example: '1-42' },
      snapshot: { description: 'Begin with the folded state instead.', schema: z.enum(['1', '0', 'true', 'false']) },
      overflow: {
        description: 'What becomes of a reader that is too slow: it catches up (default), or is closed.',
        schema: z.enum(['catch-up', 'disconnect']),
      },
      max_lag_events: { description: 'With `overflow=disconnect`: the most events behind.', schema: z.int().min(1) },
      max_lag_ms: { description: 'With `overflow=disconnect`: the longest time behind.', schema: z.int().min(1) },
      access_token: { description: 'A token that can only read this run, where no header can be sent.' },
      ...spellingDoc,
    },
    headers: { 'Last-Event-ID': { description: 'As `after`, and before it.', example: '1-42' } },
    answers: {
      200: { description: 'The entries, until the end of the run.', content: streamContent },
      204: { description: 'The run has ended, and there is nothing left to read; as SSE only.' },
    },
    problems: {
      404: 'There is no such run.',
      406: 'It cannot be had as what `Accept` asks for.',
      409: 'The cursor is ahead of the run, or of a future that was lost.',
      410: 'Entries behind the cursor are no longer stored.',
    },
  },
  async handle(c, http) {
    const query = readQuery(c.req.url, [
      'after',
      'snapshot',
      'access_token',
      ...overflowParameters,
      ...spellingParameters,
    ])
    const spelling = readSpelling(query, eventFraming(c), http.formats)
    const overflow = readOverflow(query)
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
    return streamRun(c, http, run, { spelling, overflow, after: last ?? asked, snapshot: snapshot && !last })
  },
}

/** Where a client that was here before got to. Empty is what some send before the first event. */
export function lastEventId(c: Context<HttpEnv>): Cursor | undefined {
  const id = c.req.header('last-event-id')
  return id === undefined || id === '' ? undefined : parseCursor(id)
}
