import { expect, test } from 'vitest'
import { negotiate } from '../../../src/servers/http/requests/accept.ts'

const offers = { types: { 'text/event-stream': 'sse', 'application/x-ndjson': 'ndjson' }, fallback: 'any' }

const cases: [accept: string | undefined, chosen: string | undefined][] = [
  [undefined, 'any'],
  ['', 'any'],
  ['*/*', 'any'],
  ['text/*', 'any'],
  ['application/*;q=0.1', 'any'],
  ['text/event-stream', 'sse'],
  ['TEXT/Event-Stream; charset=utf-8', 'sse'],
  ['application/x-ndjson', 'ndjson'],
  ['application/x-ndjson, text/event-stream', 'sse'],
  ['application/x-ndjson, text/event-stream;q=0.9', 'ndjson'],
  ['text/event-stream;q=0.1, */*', 'sse'],
  ['text/event-stream;q=0, application/x-ndjson;q=0.001', 'ndjson'],
  ['text/html, application/x-ndjson', 'ndjson'],
  ['text/html,application/xhtml+xml,*/*;q=0.8', 'any'],
  ['text/html', undefined],
  ['image/*', undefined],
  ['*/*;q=0', undefined],
  ['text/event-stream;q=0', undefined],
  ['text/event-stream;q=x', undefined],
]
for (const [accept, chosen] of cases) {
  test(`Accept: ${accept ?? '(none)'} gets ${chosen ?? '406'}`, () => {
    if (chosen !== undefined) return expect(negotiate(accept, offers)).toBe(chosen)
    expect(() => negotiate(accept, offers)).toThrow(expect.objectContaining({ status: 406, reason: 'not_acceptable' }))
  })
}
