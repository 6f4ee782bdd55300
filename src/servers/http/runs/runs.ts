import { z } from 'zod'
import { formatCursor } from '../../../core/cursor.ts'
import { RunletError, isExpired } from '../../../core/error.ts'
import { lastAnswer, outputText, type RunView } from '../../../core/fold.ts'
import type { ListQuery, RunHeader } from '../../../core/log.ts'
import { quoted } from '../../../core/quote.ts'
import type { Run } from '../../../engine/runtime.ts'
import { runDetailSchema, runListSchema, runSchema, sessionSchema, statuses } from '../openapi/answers.ts'
import { readJson } from '../requests/body.ts'
import { checked, unknownHeader } from '../requests/checked.ts'
import type { Route } from '../env.ts'
import { readCount, readQuery, readWord } from '../requests/query.ts'

/** `GET /v1/runs`: headers, newest first. */
export const listRuns: Route = {
  method: 'GET',
  path: '/v1/runs',
  doc: {
    summary: 'List runs',
    description: 'Newest first. For the page behind this one, ask again with `before` set to what `next` says.',
    query: {
      session_id: { description: 'Only runs of this session.' },
      status: { description: 'Only runs in this state.', schema: z.enum(statuses) },
      before: {
        description: 'Runs behind this one in the list, by its id; or runs that began before a time, in Unix ms.',
      },
      limit: { description: 'Runs on a page. Default 100; more than 1,000 gives 1,000.', schema: z.int().min(1) },
    },
    answers: { 200: { description: 'The runs.', content: { 'application/json': { schema: runListSchema } } } },
    problems: { 404: '`before` names no run.' },
  },
  async handle(c, { runtime }) {
    const query = readQuery(c.req.url, ['session_id', 'status', 'limit', 'before'])
    const status = readWord('status', query.status, statuses)
    const most = Math.min(readCount('limit', query.limit, 1) ?? USUAL, MOST)
    const before = readPlace(query.before)
    const runs = await runtime.list({
      ...(query.session_id === undefined ? {} : { session_id: query.session_id }),
      ...(status === undefined ? {} : { status }),
      limit: most,
      ...before,
    })
    const last = runs.at(-1)
    return c.json({ runs: runs.map(runJson), ...(last && runs.length === most ? { next: last.run_id } : {}) })
  },
}

/** What `ListQuery` gives at most, and where nobody says how much. */
const MOST = 1_000
const USUAL = 100

/** Where a page begins: behind a run, which is exact, or before a time. A run id is never a number. */
function readPlace(before: string | undefined): Pick<ListQuery, 'before' | 'before_run'> {
  if (before === undefined) return {}
  return /^\d+$/.test(before) ? { before: readCount('before', before, 0)! } : { before_run: before }
}

/** `GET /v1/runs/{id}`: a run, with what it has said so far. */
export const showRun: Route = {
  method: 'GET',
  path: '/v1/runs/:id',
  readers: true,
  doc: {
    summary: 'Show a run, with what it has said so far',
    answers: { 200: { description: 'The run.', content: { 'application/json': { schema: runDetailSchema } } } },
    problems: { 404: 'There is no such run.' },
  },
  async handle(c, { runtime }) {
    readQuery(c.req.url, [])
    const run = await runtime.find(c.req.param('id') ?? '')
    c.set('runId', run.id)
    // The state first: a header that is newer than it says `running` too seldom, never too long.
    const view = await keptView(run)
    const message = view && lastAnswer(view)
    return c.json({
      ...runJson(await run.header()),
      ...(view ? { output_text: outputText(view) } : {}),
      ...(message ? { message } : {}),
    })
  },
}

/** The state of a run, unless retention took its entries: then the header is all there is. */
async function keptView(run: Run): Promise<RunView | undefined> {
  try {
    return await run.view()
  } catch (error) {
    if (isExpired(error)) return undefined
    throw error
  }
}

const cancelSchema = z.object({ reason: z.string().max(200).optional() })

/** `POST /v1/runs/{id}/cancel`: ends a run, and answers with how it ended; again and again the same. */
export const cancelRun: Route = {
  method: 'POST',
  path: '/v1/runs/:id/cancel',
  doc: {
    summary: 'Cancel a run',
    description: 'Answers once it has ended, with how. A run that ended before is left as it is.',
    body: { 'application/json': { schema: cancelSchema, example: { reason: 'that is enough' } } },
    bodyOptional: true,
    answers: { 200: { description: 'The run.', content: { 'application/json': { schema: runSchema } } } },
    problems: { 404: 'There is no such run.', 504: 'The process that owns the run does not react.' },
  },
  async handle(c, { runtime, limits }) {
    readQuery(c.req.url, [])
    const { value, unknown } = checked(cancelSchema, await readJson(c.req.raw, limits.maxBodyBytes, {}))
    const { reason } = value
    const header = await runtime.cancel(c.req.param('id') ?? '', reason === undefined ? {} : { reason })
    return c.json(runJson(header), 200, unknownHeader(unknown))
  },
}

/** `GET /v1/sessions/{id}`: the runs of a conversation, oldest first. */
export const showSession: Route = {
  method: 'GET',
  path: '/v1/sessions/:id',
  doc: {
    summary: 'Show a conversation',
    answers: { 200: { description: 'Its runs.', content: { 'application/json': { schema: sessionSchema } } } },
    problems: { 404: 'There is no such session.' },
  },
  async handle(c, { runtime }) {
    readQuery(c.req.url, [])
    const session_id = c.req.param('id') ?? ''
    const runs = await runtime.list({ session_id, limit: MOST })
    const first = runs.at(-1)
    if (!first) {
      throw new RunletError('not_found', {
        reason: 'session_unknown',
        message: `there is no session ${quoted(session_id)} in this store`,
      })
    }
    return c.json({
      session_id,
      title: first.title,
      created_at: first.created_at,
      runs: runs.toReversed().map(runJson),
    })
  },
}

/** A header as it stands on the wire. */
export function runJson({ cursor, ...header }: RunHeader) {
  return { ...header, cursor: formatCursor(cursor) }
}
