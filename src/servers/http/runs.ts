import { formatCursor } from '../../core/cursor.ts'
import { RunletError, isExpired } from '../../core/error.ts'
import { lastAnswer, outputText, type RunView } from '../../core/fold.ts'
import type { RunHeader } from '../../core/log.ts'
import type { Run } from '../../engine/runtime.ts'
import { readJson } from './body.ts'
import type { Route } from './env.ts'
import { readCount, readQuery, readWord } from './query.ts'

const statuses = ['running', 'completed', 'failed', 'cancelled'] as const

/** `GET /v1/runs`: headers, newest first. */
export const listRuns: Route = {
  method: 'GET',
  path: '/v1/runs',
  async handle(c, { runtime }) {
    const query = readQuery(c.req.url, ['session_id', 'status', 'limit', 'before'])
    const status = readWord('status', query.status, statuses)
    const limit = readCount('limit', query.limit, 1)
    const before = readCount('before', query.before, 0)
    const runs = await runtime.list({
      ...(query.session_id === undefined ? {} : { session_id: query.session_id }),
      ...(status === undefined ? {} : { status }),
      ...(limit === undefined ? {} : { limit: Math.min(limit, MOST) }),
      ...(before === undefined ? {} : { before }),
    })
    return c.json({ runs: runs.map(runJson) })
  },
}

/** What `ListQuery` gives at most. */
const MOST = 1_000

/** `GET /v1/runs/{id}`: a run, with what it has said so far. */
export const showRun: Route = {
  method: 'GET',
  path: '/v1/runs/:id',
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

/** `POST /v1/runs/{id}/cancel`: ends a run, and answers with how it ended; again and again the same. */
export const cancelRun: Route = {
  method: 'POST',
  path: '/v1/runs/:id/cancel',
  async handle(c, { runtime, limits }) {
    readQuery(c.req.url, [])
    const body = await readJson(c.req.raw, limits.maxBodyBytes, {})
    return c.json(runJson(await runtime.cancel(c.req.param('id') ?? '', readReason(body))))
  },
}

/** `GET /v1/sessions/{id}`: the runs of a conversation, oldest first. */
export const showSession: Route = {
  method: 'GET',
  path: '/v1/sessions/:id',
  async handle(c, { runtime }) {
    readQuery(c.req.url, [])
    const session_id = c.req.param('id') ?? ''
    const runs = await runtime.list({ session_id, limit: MOST })
    const first = runs.at(-1)
    if (!first) {
      throw new RunletError('not_found', {
        reason: 'session_unknown',
        message: `there is no session ${JSON.stringify(session_id.slice(0, 100))} in this store`,
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

function readReason(body: Readonly<Record<string, unknown>>): { readonly reason?: string } {
  const { reason, ...rest } = body
  const [unknown] = Object.keys(rest)
  if (unknown === undefined && reason === undefined) return {}
  if (unknown === undefined && typeof reason === 'string' && reason.length <= 200) return { reason }
  throw new RunletError('invalid_request', {
    reason: unknown === undefined ? 'body_invalid' : 'unknown_member',
    message: 'the body of a cancel holds nothing but "reason", a text of at most 200 characters; it may be left away',
  })
}
