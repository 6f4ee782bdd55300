import { describe, expect, test } from 'vitest'
import { says, usage } from '../../../src/testing/scripted-provider.ts'
import { held } from './held.ts'
import { ended, lab, type Lab } from './lab.ts'

const json = { 'content-type': 'application/json' }
const send = (l: Lab, id: string, body: unknown, headers?: Record<string, string>) =>
  l.post(`/v1/runs/${id}/input`, body, headers)

async function messages(l: Lab, id: string): Promise<unknown[]> {
  await ended(l, id)
  const { messages: all } = await (await l.runtime.find(id)).view()
  return all.map((message) =>
    message.role === 'assistant' ? message.parts : [message.role, 'content' in message && message.content],
  )
}

describe('POST /v1/runs/{id}/input', () => {
  test('hands a run messages, a steer before those that follow up', async () => {
    const { scripts, release } = held(says('steered'), says('followed'))
    const l = lab({ scripts })
    const { run_id } = await (await l.post('/v1/runs', { prompt: 'Count.' })).json()
    for (const [type, text] of [
      ['follow_up', 'And then?'],
      ['steer', 'In German.'],
    ]) {
      const response = await send(l, run_id, { type, text })
      expect([response.status, await response.json()]).toEqual([202, { run_id, accepted: type }])
    }
    release()
    expect(await messages(l, run_id)).toEqual([
      ['user', 'Count.'],
      [{ type: 'text', text: 'One two' }],
      ['user', 'In German.'],
      [{ type: 'text', text: 'steered' }],
      ['user', 'And then?'],
      [{ type: 'text', text: 'followed' }],
    ])
  })

  const outcomes: [name: string, sent: object, result: unknown, is_error: boolean][] = [
    ['a result', { result: { seen: [1, null] } }, { seen: [1, null] }, false],
    ['a result that is nothing', { result: null }, null, false],
    ['a failure', { result: 'no eyes', is_error: true }, 'no eyes', true],
  ]
  for (const [name, sent, result, is_error] of outcomes) {
    test(`hands a run ${name} of a tool that its caller runs`, async () => {
      const call = { type: 'tool_call', call_id: 'c1', name: 'look', input: {} } as const
      const done = { type: 'done', reason: 'tool_calls', usage: usage(1, 1) } as const
      const l = lab({ scripts: [[[{ type: 'start', model: 'm' }], [call], [done]], says('seen')] })
      const { run_id } = await (
        await l.post('/v1/runs', {
          prompt: 'Look!',
          caller_tools: [{ name: 'look', description: 'Looks.', parameters: { type: 'object' } }],
          caller_results: 'answer',
        })
      ).json()
      for await (const batch of (await l.runtime.find(run_id)).read()) {
        if (batch.type === 'batch' && batch.entries.some(({ event }) => event.type === 'tool.call')) break
      }
      const unknown = await send(l, run_id, { type: 'tool_result', call_id: 'c2', result: 1 })
      expect([unknown.status, await unknown.json()]).toEqual([
        409,
        expect.objectContaining({ code: 'invalid_request', reason: 'call_unknown', run_id }),
      ])
      const taken = await send(l, run_id, { type: 'tool_result', call_id: 'c1', ...sent })
      expect([taken.status, await taken.json()]).toEqual([202, { run_id, accepted: 'tool_result' }])
      const view = await (async () => {
        await ended(l, run_id)
        return (await l.runtime.find(run_id)).view()
      })()
      expect(view.messages[2]).toMatchObject({ role: 'tool', call_id: 'c1', name: 'look', is_error })
      if (!is_error) expect(view.messages[2]).toMatchObject({ content: result })
      expect(l.provider.requests).toHaveLength(2)
    })
  }

  test('cancels a run, and says so again when it has ended', async () => {
    const { scripts } = held()
    const l = lab({ scripts })
    const { run_id } = await (await l.post('/v1/runs', { prompt: 'Count.' })).json()
    for (const body of [{ type: 'cancel', reason: 'enough' }, { type: 'cancel' }]) {
      const response = await send(l, run_id, body)
      expect([response.status, await response.json()]).toEqual([202, { run_id, accepted: 'cancel' }])
    }
    expect(await (await l.runtime.find(run_id)).header()).toMatchObject({ status: 'cancelled' })
    expect(l.provider.active).toBe(0)
  })

  test('tells of members that nobody knows', async () => {
    const { scripts, release } = held(says('x'))
    const l = lab({ scripts })
    const { run_id } = await (await l.post('/v1/runs', { prompt: 'Count.' })).json()
    const response = await send(l, run_id, { type: 'steer', text: 'x', priority: 1 })
    expect([response.status, response.headers.get('x-unknown-members')]).toEqual([202, 'priority'])
    release()
    await ended(l, run_id)
  })

  const bad: [
    name: string,
    body: string,
    headers: Record<string, string>,
    status: number,
    reason: string,
    detail?: string,
  ][] = [
    ['a steer without text', '{"type":"steer","text":" \\n"}', json, 400, 'empty_steer'],
    ['a follow-up without text', '{"type":"follow_up","text":""}', json, 400, 'empty_follow_up'],
    [
      'a text that is none',
      '{"type":"steer","text":7}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: text: expected string, received number',
    ],
    [
      'another type',
      '{"type":"pause"}',
      json,
      400,
      'body_invalid',
      "the body is not accepted: type: Invalid discriminator value. Expected 'steer' | 'follow_up' | 'tool_result' | 'cancel'",
    ],
    [
      'a result that is left out',
      '{"type":"tool_result","call_id":"c"}',
      json,
      400,
      'body_invalid',
      'the body is not accepted: result: expected a JSON value, and there is none',
    ],
    ['a list', '[]', json, 400, 'bad_json'],
    ['nothing', '', json, 400, 'bad_json'],
    ['what is too deep', `{"type":"steer","text":${'['.repeat(65)}${']'.repeat(65)}}`, json, 400, 'json_too_deep'],
    ['lines', '{"type":"steer","text":"x"}\n', { 'content-type': 'application/x-ndjson' }, 415, 'content_type'],
    ['a form', 'type=cancel', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'content_type'],
  ]
  for (const [name, body, headers, status, reason, detail] of bad) {
    test(`refuses ${name}: ${status} ${reason}`, async () => {
      const { scripts, release } = held()
      const l = lab({ scripts })
      const { run_id } = await (await l.post('/v1/runs', { prompt: 'Count.' })).json()
      const response = await send(l, run_id, body, headers)
      const problem = await response.json()
      expect([response.status, problem.reason]).toEqual([status, reason])
      if (detail) expect(problem.detail).toBe(detail)
      release()
      expect(await messages(l, run_id)).toEqual([['user', 'Count.'], [{ type: 'text', text: 'One two' }]])
    })
  }

  test('a run that has ended takes nothing: 409; one that there is not: 404', async () => {
    const l = lab()
    const { run_id } = await (await l.post('/v1/runs', { prompt: 'Hi' })).json()
    await ended(l, run_id)
    const late = await send(l, run_id, { type: 'steer', text: 'x' })
    expect([late.status, (await late.json()).reason]).toEqual([409, 'no_active_run'])
    const lost = await send(l, 'nope', { type: 'cancel' })
    expect([lost.status, (await lost.json()).reason]).toEqual([404, 'run_unknown'])
  })

  test('a hundred messages wait, and one more is too many: 429', async () => {
    const { scripts } = held()
    const l = lab({ scripts })
    const { run_id } = await (await l.post('/v1/runs', { prompt: 'Count.' })).json()
    const seen = []
    for (let i = 0; i < 101; i++) seen.push((await send(l, run_id, { type: 'follow_up', text: `${i}` })).status)
    expect(seen).toEqual([...Array.from({ length: 100 }, () => 202), 429])
    await l.runtime.cancel(run_id)
  })
})
