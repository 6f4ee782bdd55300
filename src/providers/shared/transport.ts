import { RunletError, type ErrorCode } from '../../core/error.ts'
import type { Peer } from './peer.ts'

interface Meaning {
  readonly code: ErrorCode
  readonly reason: string
  /** What happened and what to do, after the peer's name. */
  readonly says: string
  readonly temporary?: boolean
}

const refused = {
  code: 'network',
  reason: 'connection_refused',
  says: 'refused the connection; is it running?',
} as const
const unknownHost = {
  code: 'network',
  reason: 'host_not_found',
  says: 'was not found; is this machine online? Else check the base URL',
} as const
const lost = { code: 'network', reason: 'connection_lost', says: 'closed the connection without an answer' } as const
const late = { code: 'timeout', reason: 'connect_timeout', says: 'did not take the connection in time' } as const
const unreachable = { code: 'network', reason: 'unreachable', says: 'cannot be reached from this machine' } as const
const untrusted = {
  code: 'network',
  reason: 'tls_failed',
  says: 'has no certificate that this machine trusts; check the base URL and the clock, or add the CA (NODE_EXTRA_CA_CERTS)',
  temporary: false,
} as const
const noHttp = {
  code: 'network',
  reason: 'not_http',
  says: 'does not answer in HTTP; check scheme and port of the base URL',
} as const

/** What failed between us and a provider, by the `code` of the error that Node or undici threw. */
const meanings: Readonly<Record<string, Meaning>> = {
  ECONNREFUSED: refused,
  ENOTFOUND: unknownHost,
  EAI_AGAIN: unknownHost,
  ECONNRESET: lost,
  EPIPE: lost,
  UND_ERR_SOCKET: lost,
  UND_ERR_CONNECT_TIMEOUT: late,
  ETIMEDOUT: late,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  EADDRNOTAVAIL: unreachable,
  CERT_HAS_EXPIRED: untrusted,
  CERT_NOT_YET_VALID: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  ERR_TLS_CERT_ALTNAME_INVALID: untrusted,
  EPROTO: noHttp,
  ERR_SSL_WRONG_VERSION_NUMBER: noHttp,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noHttp,
  UND_ERR_HEADERS_OVERFLOW: noHttp,
  // undici gives some of these a code (HPE_…), and some only a name.
  HTTPParserError: noHttp,
}

/** The typed error for what was thrown before an answer came. */
export function transportError(peer: Peer, cause: unknown): RunletError {
  const { code, reason, says, temporary }: Meaning = meanings[errnoOf(cause)] ?? {
    code: 'network',
    reason: 'request_failed',
    says: 'could not be asked; the details are in the log',
  }
  return new RunletError(code, {
    reason,
    message: `${peer.name} ${says}`,
    provider: peer.provider,
    ...(temporary === undefined ? {} : { temporary }),
    cause,
  })
}

/** The first code that says something: a failed attempt at several addresses hides them one level down. */
function errnoOf(error: unknown, depth: number = 3): string {
  if (!(error instanceof Error) || depth === 0) return ''
  const { code } = error as { code?: unknown }
  const own = [code, error.name].find((name) => typeof name === 'string' && Object.hasOwn(meanings, name))
  if (typeof own === 'string') return own
  const inner = [...(error instanceof AggregateError ? error.errors : []), error.cause]
  return inner.map((one) => errnoOf(one, depth - 1)).find((found) => found !== '') ?? ''
}
