import { expect, test } from 'vitest'
import { transportError } from '../../../src/providers/shared/transport.ts'

const peer = { provider: 'test', name: 'models.example', redact: (text: string) => text }
const failure = (code: string, more: object = {}) => Object.assign(new Error('low-level words'), { code, ...more })

const cases: [name: string, cause: unknown, code: string, reason: string, temporary: boolean][] = [
  ['a refused connection', failure('ECONNREFUSED'), 'network', 'connection_refused', true],
  ['a name that is not known', failure('ENOTFOUND'), 'network', 'host_not_found', true],
  ['a name server that is away', failure('EAI_AGAIN'), 'network', 'host_not_found', true],
  ['a reset', failure('ECONNRESET'), 'network', 'connection_lost', true],
  ['a socket that was closed', failure('UND_ERR_SOCKET'), 'network', 'connection_lost', true],
  ['a connection that takes too long', failure('UND_ERR_CONNECT_TIMEOUT'), 'timeout', 'connect_timeout', true],
  ['no route', failure('EHOSTUNREACH'), 'network', 'unreachable', true],
  ['a certificate that is over', failure('CERT_HAS_EXPIRED'), 'network', 'tls_failed', false],
  ['no HTTP', failure('HPE_INVALID_CONSTANT', { name: 'HTTPParserError' }), 'network', 'not_http', true],
  ['TLS to a plain port', failure('ERR_SSL_WRONG_VERSION_NUMBER'), 'network', 'not_http', true],
  [
    'several addresses, all refused',
    new AggregateError([failure('ECONNREFUSED')]),
    'network',
    'connection_refused',
    true,
  ],
  ['a cause within', new TypeError('x', { cause: failure('ENOTFOUND') }), 'network', 'host_not_found', true],
  ['something else', failure('EWHATEVER'), 'network', 'request_failed', true],
  ['no error at all', 'what', 'network', 'request_failed', true],
]

for (const [name, cause, code, reason, temporary] of cases) {
  test(`transport: ${name} is ${code}, ${reason}`, () => {
    const error = transportError(peer, cause)
    expect([error.code, error.reason, error.temporary, error.provider]).toEqual([code, reason, temporary, 'test'])
    expect(error.message).toMatch(/^models\.example /)
    expect(error.message).not.toContain('low-level')
    expect(error.cause).toBe(cause)
  })
}
