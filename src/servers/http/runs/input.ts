import { acceptedSchema } from '../openapi/answers.ts'
import { readJson } from '../requests/body.ts'
import { unknownHeader } from '../requests/checked.ts'
import type { Route } from '../env.ts'
import { inputSchema, readInput, sendInput } from './input-body.ts'
import { readQuery } from '../requests/query.ts'
import { runHeaders } from './start-doc.ts'

/** `POST /v1/runs/{id}/input`: sends something to a run that is at work. */
export const sendToRun: Route = {
  method: 'POST',
  path: '/v1/runs/:id/input',
  doc: {
    summary: 'Send something to a run that is at work',
    description:
      'A message that goes before all that wait (`steer`) or behind them (`follow_up`), the result of a tool that the ' +
      'caller runs itself, or the end (`cancel`). Answers once the process that owns the run has it.',
    body: {
      'application/json': { schema: inputSchema, example: { type: 'steer', text: 'In German, please.' } },
    },
    answers: {
      202: {
        description: 'The run has it.',
        content: { 'application/json': { schema: acceptedSchema } },
        headers: { 'X-Unknown-Members': runHeaders['X-Unknown-Members']! },
      },
    },
    problems: {
      404: 'There is no such run.',
      409: 'The run has ended (`no_active_run`), or waits for no such result (`call_unknown`).',
      429: 'A hundred messages wait already.',
    },
  },
  async handle(c, { runtime, limits }) {
    readQuery(c.req.url, [])
    const { value: input, unknown } = readInput(await readJson(c.req.raw, limits.maxBodyBytes))
    const { id } = await runtime.find(c.req.param('id') ?? '')
    c.set('runId', id)
    await sendInput(runtime, id, input)
    return c.json({ run_id: id, accepted: input.type }, 202, unknownHeader(unknown))
  },
}
