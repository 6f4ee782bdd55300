import type { CallOptions, ModelRequest } from '../../../src/core/provider.ts'
import { describe, expect, test } from 'vitest'
import { parseTraceparent } from '../../../src/servers/http/runs/caller-ids.ts'
import { lab, ended } from './lab.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const known = { traceId: TRACE, spanId: SPAN, sampled: true }

describe('traceparent', () => {
  const cases: [name: string, header: string | undefined, expected: object | undefined][] = [
    ['sampled', `00-${TRACE}-${SPAN}-01`, known],
    ['not sampled', `00-${TRACE}-${SPAN}-00`, { ...known, sampled: false }],
    ['with flags that have no meaning yet', `00-${TRACE}-${SPAN}-ff`, known],
    ['with such flags, not sampled', `00-${TRACE}-${SPAN}-fe`, { ...known, sampled: false }],
    ['of a later version', `cc-${TRACE}-${SPAN}-01`, known],
    ['of a later version that knows more', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, known],
    ['absent', undefined, undefined],
    ['empty', '', undefined],
    ['of the version that is none', `ff-${TRACE}-${SPAN}-01`, undefined],
    ['with more behind it', `00-${TRACE}-${SPAN}-01-what`, undefined],
    ['of a later version, with more that is not set apart', `cc-${TRACE}-${SPAN}-01.what`, undefined],
    ['with a hyphen at its end', `00-${TRACE}-${SPAN}-01-`, undefined],
    ['with a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`, undefined],
    ['with a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`, undefined],
    ['in upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`, undefined],
    ['with other letters', `00-${TRACE.replace('a', 'g')}-${SPAN}-01`, undefined],
    ['too short', `00-${TRACE.slice(1)}-${SPAN}-01`, undefined],
    ['too long', `00-${TRACE}0-${SPAN}-01`, undefined],
    ['without flags', `00-${TRACE}-${SPAN}`, undefined],
    ['with one digit of flags', `00-${TRACE}-${SPAN}-1`, undefined],
    ['with blanks', ` 00-${TRACE}-${SPAN}-01`, undefined],
    ['twice', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`, undefined],
  ]
  for (const [name, header, expected] of cases) {
    test(`${name}: ${expected ? 'read' : 'as if it were not there'}`, () => {
      expect(parseTraceparent(header)).toEqual(expected)
    })
  }
})

describe('a run', () => {
  const asked = async (headers: Record<string, string>) => {
    const l = lab()
    const observed: object[] = []
    const response = await l.post('/v1/runs', { prompt: 'Hi' }, headers)
    const id = response.headers.get('x-run-id') ?? ''
    if (response.status !== 202) return { status: response.status, reason: (await response.json()).reason }
    await ended(l, id)
    const { request_id, trace_id } = await (await l.runtime.find(id)).header()
    return { request_id, trace_id, given: response.headers.get('x-request-id'), observed }
  }

  test('belongs to the trace of whoever asked', async () => {
    expect(await asked({ traceparent: `00-${TRACE}-${SPAN}-01`, 'x-request-id': 'req-1' })).toMatchObject({
      request_id: 'req-1',
      given: 'req-1',
      trace_id: TRACE,
    })
  })

  test('belongs to the trace that its caller names itself, before one that a proxy began', async () => {
    const headers = { traceparent: `00-${TRACE}-${SPAN}-01`, 'x-trace-id': 'mine' }
    expect(await asked(headers)).toMatchObject({ trace_id: 'mine' })
  })

  test('without either has ids of its own, which the answer tells', async () => {
    const { request_id, trace_id, given } = await asked({ traceparent: 'nonsense' })
    expect(request_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    expect([trace_id, given]).toEqual([request_id, request_id])
  })

  test('is not begun under an id that no header can carry', async () => {
    expect(await asked({ 'x-request-id': 'a b' })).toEqual({ status: 400, reason: 'bad_header' })
  })
})

test('the provider is told the trace, and nothing else of who asked', async () => {
  const l = lab()
  const callers: unknown[] = []
  const stream = l.provider.stream.bind(l.provider)
  Object.assign(l.provider, {
    stream: (request: ModelRequest, options: CallOptions) => {
      callers.push(options.caller)
      return stream(request, options)
    },
  })
  for (const flags of ['01', '00']) {
    const headers = { traceparent: `00-${TRACE}-${SPAN}-${flags}` }
    const response = await l.post('/v1/runs', { prompt: 'Hi' }, headers)
    await ended(l, response.headers.get('x-run-id')!)
  }
  expect(callers.map((caller) => (caller as { traceparent: string }).traceparent)).toEqual([
    `00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-00`,
  ])
})
