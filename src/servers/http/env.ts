import type { ServerResponse } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Clock } from '../../core/clock.ts'
import type { RunletError } from '../../core/error.ts'
import type { RunId } from '../../core/event.ts'
import type { Format } from '../../core/format.ts'
import type { Diagnostic, Runtime } from '../../engine/runtime.ts'
import type { Lapse } from './auth/caller.ts'
import type { TraceParent } from './runs/caller-ids.ts'
import type { RouteDoc } from './openapi/doc.ts'
import type { Answered } from './requests/exchange.ts'
import type { Health } from './health.ts'
import type { HttpLimits } from './limits.ts'
import type { MetricsText } from './metrics.ts'
import type { Keyring } from './auth/keyring.ts'
import type { Page } from './page.ts'
import type { Called, PageSession } from './auth/page-session.ts'
import type { Problem } from './requests/problem.ts'
import type { Readers } from './streams/readers.ts'
import type { Sink } from './streams/sink.ts'

/** What Node's server hands along with a request; nothing when another framework calls `fetch`. */
export interface HttpEnv {
  readonly Bindings: Partial<HttpBindings> | undefined
  readonly Variables: {
    /** Of this request: what the caller calls it, else a UUIDv7. Set before everything else. */
    requestId: string
    /** Where the caller stands in a trace of its own, if it said so. */
    trace?: TraceParent
    /** The run that a request is about, once it is known: problems name it. */
    runId?: RunId
    /** What the caller may do. Set by the guard. */
    access: Access
    /** How the caller reached us. Set by the guard. */
    called: Called
    /** Of a caller that is the page. */
    session?: PageSession
    /** When what the caller showed no longer holds: its streams end then. */
    lapse?: Lapse
  }
}

/** Who calls: the owner of the server, with its token or through its page, or someone who may read one run. */
export type Access =
  | { readonly type: 'owner'; readonly through: 'token' | 'page' }
  | { readonly type: 'reader'; readonly run: RunId }
  /** Nobody that we know: only open routes answer. */
  | { readonly type: 'anyone' }

/** What the routes work with. */
export interface HttpContext {
  readonly runtime: Runtime
  readonly formats: Readonly<Record<string, Format>>
  readonly limits: HttpLimits
  /** Absent where there is none. */
  readonly page?: Page
  readonly clock: Clock
  readonly readers: Readers
  readonly keyring: Keyring
  readonly nodeSink: (response: ServerResponse) => Sink
  readonly onDiagnostic: (diagnostic: Diagnostic) => void
  readonly onAnswer?: (answered: Answered) => void
  readonly health: () => Health
  /** Absent where none are kept. */
  readonly metrics?: () => Promise<MetricsText>
}

/** One method of one path. The table of these is what the server answers, and what the security tests go through. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With `:name` for the parts that vary. */
  readonly path: string
  /** Answers without a token. */
  readonly open?: boolean
  /** A whole page that links of other sites may lead to. */
  readonly linked?: boolean
  /** Also for those who may read only the run that the path names. */
  readonly readers?: boolean
  /** Takes a token that can only read also as `access_token` in its URL: an `EventSource` can send no headers. */
  readonly tokenInUrl?: boolean
  /** Only for the page of this server itself, as `Origin` tells. */
  readonly ownPage?: boolean
  /** How this route's clients expect errors; also those that arise before it is reached. Default: problem details. */
  readonly problem?: (error: RunletError, runId?: RunId) => Problem
  /** What the OpenAPI document tells of it. */
  readonly doc: RouteDoc
  readonly handle: (c: Context<HttpEnv>, http: HttpContext) => Response | Promise<Response>
}
