import type { ServerResponse } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Clock } from '../../core/clock.ts'
import type { RunletError } from '../../core/error.ts'
import type { RunId } from '../../core/event.ts'
import type { Format } from '../../core/format.ts'
import type { Diagnostic, Runtime } from '../../engine/runtime.ts'
import type { HttpLimits } from './limits.ts'
import type { Problem } from './problem.ts'
import type { Readers } from './readers.ts'
import type { Sink } from './sink.ts'

/** What Node's server hands along with a request; nothing when another framework calls `fetch`. */
export interface HttpEnv {
  readonly Bindings: Partial<HttpBindings> | undefined
  readonly Variables: {
    /** The run that a request is about, once it is known: problems name it. */
    runId?: RunId
    /** What the caller may do. Set by the guard. */
    access: Access
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
  readonly clock: Clock
  readonly readers: Readers
  readonly nodeSink: (response: ServerResponse) => Sink
  readonly onDiagnostic: (diagnostic: Diagnostic) => void
}

/** One method of one path. The table of these is what the server answers, and what the security tests go through. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With `:name` for the parts that vary. */
  readonly path: string
  /** Answers without a token. */
  readonly open?: boolean
  /** Also for those who may read only the run that the path names. */
  readonly readers?: boolean
  /** How this route's clients expect errors; also those that arise before it is reached. Default: problem details. */
  readonly problem?: (error: RunletError, runId?: RunId) => Problem
  readonly handle: (c: Context<HttpEnv>, http: HttpContext) => Response | Promise<Response>
}
