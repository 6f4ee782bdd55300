import type { ServerResponse } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Clock } from '../../core/clock.ts'
import type { RunId } from '../../core/event.ts'
import type { Format } from '../../core/format.ts'
import type { Diagnostic, Runtime } from '../../engine/runtime.ts'
import type { HttpLimits } from './limits.ts'
import type { Readers } from './readers.ts'
import type { Sink } from './sink.ts'

/** What Node's server hands along with a request; nothing when another framework calls `fetch`. */
export interface HttpEnv {
  readonly Bindings: Partial<HttpBindings> | undefined
  /** The run that a request is about, once it is known: problems name it. */
  readonly Variables: { runId?: RunId }
}

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
  readonly method: 'GET' | 'POST'
  /** With `:name` for the parts that vary. */
  readonly path: string
  /** Answers without a token. */
  readonly open?: boolean
  readonly handle: (c: Context<HttpEnv>, http: HttpContext) => Response | Promise<Response>
}
