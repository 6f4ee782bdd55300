/** A Runlet server over HTTP. Nothing in here needs more than `fetch`: it runs in Node and in browsers. */
import type { Batch } from '../core/batch.ts'
import type { Cursor } from '../core/cursor.ts'
import { ANY_EPOCH, formatCursor } from '../core/cursor.ts'
import type { RunId, RunStatus } from '../core/event.ts'
import type { JsonValue } from '../core/json.ts'
import type { Gap, ListQuery, RunHeader } from '../core/log.ts'
import type { ModelOptions } from '../core/provider.ts'
import type { ConnectionNews } from './follow-state.ts'
import { openFrames, type Transport } from './frames.ts'
import { httpCaller, type CallOptions, type HttpClientOptions } from './http-call.ts'
import { checkedRun, networkError } from './http-errors.ts'
import { frameNames, headerOf, streamRecords, type StreamRecord, type WireHeader } from './records.ts'

/** The body of `POST /v1/runs`, as it stands on the wire. */
export interface StartBody {
  /** `provider/model` or an alias. Default: the session's, else the server's. */
  readonly model?: string
  /** What to answer; or `messages`. */
  readonly prompt?: string
  /** A conversation that ends with a user message. */
  readonly messages?: readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[]
  /** Instructions that go before everything else. */
  readonly system?: string
  /** Continue this conversation. */
  readonly session_id?: string
  /** Names of the server's tools that the model may call. Default none. */
  readonly tools?: readonly string[]
  readonly options?: ModelOptions
  /** Requests with one key are one request: the second joins the run of the first. */
  readonly idempotency_key?: string
}

/** What the server says of a run that it took. */
export interface StartedRun {
  readonly run_id: RunId
  readonly session_id: string
  readonly status: RunStatus
}

/** What a run that is at work can be handed, as it stands on the wire. */
export type RunMessage =
  /** A message that goes before all that wait (`steer`), or behind them. */
  | { readonly type: 'steer' | 'follow_up'; readonly text: string }
  /** The outcome of a call of a tool that the caller runs itself. */
  | {
      readonly type: 'tool_result'
      readonly call_id: string
      readonly result: JsonValue
      /** Default false. */
      readonly is_error?: boolean
    }

/** The models that can be asked for. */
export interface ModelList {
  /** `id` is what a start names. */
  readonly models: readonly { readonly id: string; readonly owned_by: string }[]
  /** Providers that could not tell what they have, and why. */
  readonly errors: readonly { readonly provider: string; readonly message: string }[]
}

/** From where, and how, the events of one run are read. */
export interface EventsOptions extends CallOptions {
  /** Default: from the start. */
  readonly after?: Cursor
  /** Default `fetch`. */
  readonly transport?: Transport
  /** A token to read this run, instead of the client's own. An `EventSource` sends it as a part of the address. */
  readonly accessToken?: string
  /** Told what the connection says besides the records. */
  readonly onNews?: (news: ConnectionNews) => void
}

/** How several runs are read. */
export interface MultiplexOptions extends CallOptions {
  /** Tell of all runs that begin and end, too. Default false. */
  readonly watch?: boolean
  /** Default `fetch`. */
  readonly transport?: Transport
  /** Called when the server answers. */
  readonly onOpen?: () => void
}

/** Every method throws what the server answered as `RunletError`, and `network` when it cannot be reached. */
export interface HttpClient {
  /** Begins a run, which lives on without this client. */
  start(body: StartBody, options?: CallOptions): Promise<StartedRun>
  /**
   * One connection to a run's events. Returns when the server said that there is no more; throws when the connection
   * broke before. `follow` makes it last.
   */
  events(run: RunId, options?: EventsOptions): AsyncGenerator<Batch | Gap, void, undefined>
  /** One connection to several runs, each from its own cursor. Returns and throws as `events`. `createHub` makes it last. */
  multiplex(
    places: ReadonlyMap<RunId, Cursor>,
    options?: MultiplexOptions,
  ): AsyncGenerator<readonly StreamRecord[], void, undefined>
  find(run: RunId, options?: CallOptions): Promise<RunHeader>
  /** Ends a run and resolves with how it ended. */
  cancel(run: RunId, options?: CallOptions & { readonly reason?: string }): Promise<RunHeader>
  /** Hands a run that is at work a message, or a tool's result; resolves once its owner has it. */
  send(run: RunId, message: RunMessage, options?: CallOptions): Promise<void>
  /** Newest first. */
  list(query?: ListQuery, options?: CallOptions): Promise<RunHeader[]>
  models(options?: CallOptions): Promise<ModelList>
  /** Resolves if the server answers. Needs no token. */
  health(options?: CallOptions): Promise<void>
}

/** A client of one server. It holds no connection open by itself, and needs no closing. Throws `bad_base_url`. */
export function httpClient(options: HttpClientOptions): HttpClient {
  const http = httpCaller(options)
  const { baseUrl } = http
  const { call, json } = http
  /** An `EventSource` hears only what it was told to listen to, and this server says more. */
  let deaf = false

  return {
    start: (body, { signal } = {}) => json('/v1/runs', { body, headers: { prefer: 'respond-async' }, signal }),
    async *events(run, { after, signal, transport = 'fetch', accessToken, onNews = () => {} } = {}) {
      const place = after && after.seq > 0 ? `?after=${spelled(after)}` : ''
      const frames = openFrames(http, `${pathOf(run)}/events${place}`, {
        signal,
        transport: deaf ? 'fetch' : transport,
        accessToken,
        names: frameNames,
        audible: false,
        onOpen: (head) => onNews({ type: 'open', head }),
      })
      let seq = after?.seq ?? 0
      for await (const records of streamRecords(frames, baseUrl, run)) {
        for (const record of records) {
          if (record.type === 'lag') onNews(record)
          if (record.type === 'gap') {
            seq = record.to
            yield record
          }
          if (record.type !== 'batch') continue
          if (record.batch.first > seq + 1 && transport === 'event-source' && !deaf) {
            deaf = true
            throw unheard()
          }
          seq = record.batch.last
          yield record.batch
        }
      }
    },
    multiplex: (places, { watch = false, signal, transport = 'fetch', onOpen = () => {} } = {}) => {
      const query = new URLSearchParams([...places].map(([run, cursor]) => ['run', `${run}${atCursor(cursor)}`]))
      if (watch) query.set('watch', '1')
      const how = { signal, transport, names: frameNames, audible: true, onOpen }
      return streamRecords(openFrames(http, `/v1/events?${query.toString()}`, how), baseUrl)
    },
    find: async (run, { signal } = {}) => headerOf(await json<WireHeader>(pathOf(run), { signal })),
    cancel: async (run, { signal, reason } = {}) =>
      headerOf(
        await json<WireHeader>(`${pathOf(run)}/cancel`, {
          body: reason === undefined ? {} : { reason },
          signal,
        }),
      ),
    async send(run, message, { signal } = {}) {
      const body = message.type === 'tool_result' ? { is_error: false, ...message } : message
      const answer = await call(`${pathOf(run)}/input`, { body, signal })
      await answer.body?.cancel()
    },
    async list(query = {}, { signal } = {}) {
      const asked = new URLSearchParams()
      for (const [name, value] of Object.entries(query))
        asked.set(name === 'before_run' ? 'before' : name, String(value))
      const { runs } = await json<{ runs: WireHeader[] }>(`/v1/runs?${asked.toString()}`, { signal })
      return runs.map(headerOf)
    },
    async models({ signal } = {}) {
      const { data, errors } = await json<{ data: ModelList['models']; errors: ModelList['errors'] }>('/v1/models', {
        signal,
      })
      return { models: data, errors }
    },
    async health({ signal } = {}) {
      const { body } = await call('/healthz', { signal })
      await body?.cancel()
    },
  }
}

const pathOf = (run: RunId) => `/v1/runs/${encodeURIComponent(checkedRun(run))}`

/** A cursor whose epoch is not known goes without one. */
const spelled = (cursor: Cursor) => (cursor.epoch === ANY_EPOCH ? String(cursor.seq) : formatCursor(cursor))

const atCursor = (cursor: Cursor) => (cursor.seq === 0 ? '' : `@${spelled(cursor)}`)

const unheard = () => networkError('events_missing', 'an EventSource does not hear all events; use fetch')
