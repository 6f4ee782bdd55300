import type { Context } from 'hono'
import { RunletError } from '../../../core/error.ts'
import type { StartRequest } from '../../../engine/request.ts'
import type { HttpEnv } from '../env.ts'

/** Where a request stands in the trace of whoever sent it. https://www.w3.org/TR/trace-context/#traceparent-header */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
  /** Whether the caller records this trace. */
  readonly sampled: boolean
}

/** Ids that a caller brings along, so that its logs and traces and ours are one; for every route that begins a run. */
export function callerIds(
  c: Context<HttpEnv>,
): Pick<StartRequest, 'requestId' | 'traceId' | 'parentSpanId' | 'sampled'> {
  callerId(c, 'X-Request-Id')
  const traceId = callerId(c, 'X-Trace-Id')
  const trace = c.get('trace')
  const ids = { requestId: c.get('requestId') }
  // A trace that the caller names itself goes before one that a proxy began; that one's span is then of another trace.
  if (traceId !== undefined && traceId !== trace?.traceId) return { ...ids, traceId }
  return trace ? { ...ids, traceId: trace.traceId, parentSpanId: trace.spanId, sampled: trace.sampled } : ids
}

function callerId(c: Context<HttpEnv>, name: string): string | undefined {
  const id = c.req.header(name)
  if (id === undefined || isCallerId(id)) return id
  throw new RunletError('invalid_request', {
    reason: 'bad_header',
    message: `${name} is not 1 to 128 visible ASCII characters`,
  })
}

/** What may be given back in a header and written into a log as it is. */
export const isCallerId = (id: string): boolean => /^[\x21-\x7e]{1,128}$/.test(id)

/**
 * Reads a `traceparent` header. Undefined for everything that the specification forbids: it is then to be treated as
 * if it had not been sent. A later version may add to its end; what we know of it stands where it stood.
 */
export function parseTraceparent(header: string | undefined): TraceParent | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header ?? '')
  if (!match) return undefined
  const [, version, traceId, spanId, flags, more] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ]
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}
