import { RunletError } from '../../../core/error.ts'
import { quoted } from '../../../core/quote.ts'
import { asked, type Asked } from './asked.ts'

/** Which web pages of other origins may call: a list, compared exactly. */
export interface Cors {
  /** Headers that let the page read the answer; only `Vary` if it may not, or is none of another origin. */
  headers(asked: Asked): Record<string, string>
  /**
   * Throws `forbidden` with reason `origin_refused` for a page that is neither of the same origin nor listed. Such a
   * page could not read the answer, but its request would have done what it does.
   */
  check(asked: Asked): void
}

const MOST_ORIGINS = 1_000
const EXPOSED = 'X-Run-Id, X-Run-Cursor, Idempotency-Replayed, Retry-After'
const ALLOWED =
  'Authorization, Content-Type, Idempotency-Key, X-Idempotency-Key, Last-Event-ID, X-Request-Id, X-Trace-Id, Traceparent'

/** Throws `invalid_request` with reason `bad_origin` or `bad_option`. */
export function cors(origins: readonly string[] = []): Cors {
  if (origins.length > MOST_ORIGINS) {
    throw new RunletError('invalid_request', {
      reason: 'bad_option',
      message: `origins holds ${origins.length} origins; ${MOST_ORIGINS} are the most`,
    })
  }
  const listed = new Set(origins.map(checkedOrigin))
  return {
    headers({ header }): Record<string, string> {
      const origin = header('origin')
      if (listed.size === 0) return {}
      if (origin === undefined || !listed.has(origin)) return { Vary: 'Origin' }
      return { Vary: 'Origin', 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED }
    },
    check({ header }) {
      const origin = header('origin')
      // Behind a proxy the name that was called is not the page's; what the browser says of the two is.
      if (origin === undefined || listed.has(origin) || header('sec-fetch-site') === 'same-origin') return
      const host = header('host')
      if (host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)) return
      throw new RunletError('forbidden', {
        reason: 'origin_refused',
        message: `the page at ${quoted(origin)} may not call this; add its origin to the handler's origins if it should`,
      })
    },
  }
}

/**
 * The answer to an `OPTIONS` request, for routes that answer with `sse` or `ndjson` and whose framework knows nothing of
 * CORS: lets pages of `origins` send the methods. Default: GET and POST. Throws `invalid_request` with `bad_origin`.
 */
export function preflight(
  request: Request,
  options: { readonly origins: readonly string[]; readonly methods?: readonly string[] },
): Response {
  return preflightResponse(cors(options.origins), asked(request), options.methods ?? ['GET', 'POST'])
}

export function preflightResponse(allowed: Cors, request: Asked, methods: readonly string[]): Response {
  const headers = allowed.headers(request)
  const asks = request.header('access-control-request-method') !== undefined
  if (!asks || !('Access-Control-Allow-Origin' in headers)) {
    return new Response(null, { status: 204, headers: { ...headers, Allow: [...methods, 'OPTIONS'].join(', ') } })
  }
  return new Response(null, {
    status: 204,
    headers: {
      ...headers,
      'Access-Control-Allow-Methods': methods.join(', '),
      'Access-Control-Allow-Headers': ALLOWED,
      'Access-Control-Max-Age': '600',
    },
  })
}

/** An origin as browsers spell it: no `*`, no `null`, no path, no upper case. */
function checkedOrigin(origin: string): string {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return origin
  throw new RunletError('invalid_request', {
    reason: 'bad_origin',
    message: `${JSON.stringify(origin)} is no origin; write it as browsers send it, for example https://app.example.org`,
  })
}
