import type { RunEvent, StartEvent } from '../../../src/core/event.ts'
import type { Log } from '../../../src/core/log.ts'
import { createRuntime, type Diagnostic, type Runtime } from '../../../src/engine/runtime.ts'
import { memoryLog } from '../../../src/logs/memory.ts'
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../../../src/servers/http/server.ts'
import { createToken } from '../../../src/servers/http/auth/token.ts'
import { fakeClock, type FakeClock } from '../../../src/testing/fake-clock.ts'
import { says, scriptedProvider, type Script, type ScriptedProvider } from '../../../src/testing/scripted-provider.ts'

/** A server over a memory log, whose time stands still and whose provider says what the test wrote down. */
export interface Lab {
  readonly server: HttpServer
  readonly runtime: Runtime
  readonly log: Log
  readonly provider: ScriptedProvider
  readonly clock: FakeClock
  readonly token: string
  readonly diagnostics: Diagnostic[]
  /** Readings of the log that are open. */
  readings(): number
  /** Asks with the token, without a network. `path` begins with a slash. */
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  /** A run that the test writes itself: `start` and what follows it at once. */
  begin(events?: readonly RunEvent[], id?: string, log?: Log): Promise<string>
}

export interface LabOptions extends Partial<HttpServerOptions> {
  readonly scripts?: readonly Script[]
  readonly log?: Log
}

export function lab(options: LabOptions = {}): Lab {
  const clock = fakeClock()
  const { scripts = [says('Hello', ' world')], log: stored = memoryLog({ clock }), ...rest } = options
  let readings = 0
  const log: Log = {
    ...stored,
    async *read(run, how) {
      readings++
      try {
        yield* stored.read(run, how)
      } finally {
        readings--
      }
    },
  }
  const provider = scriptedProvider(scripts)
  const diagnostics: Diagnostic[] = []
  const onDiagnostic = (diagnostic: Diagnostic) => void diagnostics.push(diagnostic)
  const runtime = createRuntime({ providers: { lab: provider }, log, defaultModel: 'lab/scripted', clock })
  const token = createToken()
  const server = createHttpServer({ runtime, token, clock, onDiagnostic, port: 0, ...rest })
  const ask = (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${token}`)
    return server.fetch(new Request(`http://127.0.0.1:7411${path}`, { ...init, headers }))
  }
  return {
    server,
    runtime,
    log,
    provider,
    clock,
    token,
    diagnostics,
    readings: () => readings,
    ask,
    post: (path, body, headers) =>
      ask(path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      }),
    async begin(events = stepBegins, id = 'run_lab', into = log) {
      const start = { ...startEvent, run_id: id }
      await into.create({ start, events, request: { messages: [], prompt: 'Hi', options: {}, tools: [] } })
      return id
    },
  }
}

/** Waits for a run to come to its end. */
export async function ended({ runtime }: Lab, id: string): Promise<void> {
  for await (const _ of (await runtime.find(id)).read());
}

const startEvent: StartEvent = {
  type: 'start',
  trace_id: 'trace_lab',
  request_id: 'req_lab',
  run_id: 'run_lab',
  session_id: 'ses_lab',
  provider: 'lab',
  model: 'scripted',
  durability: 'memory',
  capabilities: [],
}

/** `turn.start` and `step.start`: entries 2 and 3 of a run. */
export const stepBegins: readonly RunEvent[] = [
  { type: 'turn.start', turn: 1, kind: 'prompt', message: { role: 'user', content: 'Hi' } },
  { type: 'step.start', step: 1, attempt: 1 },
]

const usage = { input_tokens: 3, output_tokens: 4, total_tokens: 7, accuracy: 'exact' } as const

/** From inside a step to the end of the run. */
export const runEnds: readonly RunEvent[] = [
  { type: 'step.end', step: 1, finish_reason: 'stop', usage },
  { type: 'turn.end', turn: 1, reason: 'stop' },
  { type: 'finish', usage, finish_reason: 'stop' },
]

export function texts(count: number, text = 'word '): RunEvent[] {
  return Array.from({ length: count }, () => ({ type: 'text.delta', step: 1, text }))
}
