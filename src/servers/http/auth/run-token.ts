import { z } from 'zod'
import type { Clock } from '../../../core/clock.ts'
import type { RunId } from '../../../core/event.ts'
import { readJson } from '../requests/body.ts'
import { checked, unknownHeader } from '../requests/checked.ts'
import type { Route } from '../env.ts'
import { readQuery } from '../requests/query.ts'
import { sealFor, type Seal } from './sealed.ts'

const HOUR_MS = 60 * 60 * 1000
const MAX_MS = 24 * HOUR_MS

/** What a run token says. */
interface RunGrant {
  readonly run: RunId
  /** Unix time in milliseconds. */
  readonly expiresAt: number
}

/** Tokens that let their holder read one run, for a while. Nothing is kept of them: they say all there is to know. */
export class RunTokens {
  readonly #seal: Seal
  readonly #clock: Clock

  constructor(token: string, clock: Clock) {
    this.#seal = sealFor('run token', token)
    this.#clock = clock
  }

  make(run: RunId, lastsMs: number): RunGrant & { readonly token: string } {
    const expiresAt = this.#clock.now() + lastsMs
    return { run, expiresAt, token: this.#seal.close(`${expiresAt} ${run}`) }
  }

  /** What a token of ours says, also one whose time is over. Undefined for all others. */
  read(token: string): RunGrant | undefined {
    const text = this.#seal.open(token)
    if (text === undefined) return undefined
    const space = text.indexOf(' ')
    return { run: text.slice(space + 1), expiresAt: Number(text.slice(0, space)) }
  }
}

const bodySchema = z.object({
  expires_in_ms: z.int().min(1).max(MAX_MS).default(HOUR_MS).describe('How long it holds. Default 1 h, at most 24 h.'),
})

const answerSchema = z.object({
  token: z.string().describe('For `Authorization: Bearer`, or `access_token=` of the events.'),
  run_id: z.string(),
  expires_at: z.int().describe('Unix time in milliseconds.'),
})

/** `POST /v1/runs/{id}/tokens`: a token that can read this run and nothing else. */
export const makeRunToken: Route = {
  method: 'POST',
  path: '/v1/runs/:id/tokens',
  doc: {
    summary: 'Make a token that can only read this run',
    description: 'It holds until its time is over, or the token of the server changes; it cannot be taken back alone.',
    body: { 'application/json': { schema: bodySchema, example: { expires_in_ms: 600_000 } } },
    bodyOptional: true,
    answers: { 201: { description: 'The token.', content: { 'application/json': { schema: answerSchema } } } },
    problems: { 404: 'There is no such run.' },
  },
  async handle(c, { runtime, limits, keyring }) {
    readQuery(c.req.url, [])
    const { value, unknown } = checked(bodySchema, await readJson(c.req.raw, limits.maxBodyBytes, {}))
    const { id } = await runtime.find(c.req.param('id') ?? '')
    c.set('runId', id)
    const { token, run, expiresAt } = keyring.keys.runTokens.make(id, value.expires_in_ms)
    return c.json({ token, run_id: run, expires_at: expiresAt }, 201, unknownHeader(unknown))
  },
}
