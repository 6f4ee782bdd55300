import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from 'undici'
import { isRunletError, RunletError } from '../../core/error.ts'
import type { JsonObject } from '../../core/json.ts'
import { utf8Decoder } from '../../wire/utf8.ts'
import { canInflate, inflated } from './inflate.ts'
import type { Peer } from './peer.ts'
import { cutOff } from './refusal.ts'
import type { HeaderOf } from './retry-after.ts'
import { transportError } from './transport.ts'

export interface HttpOptions {
  /** The API's name, for errors. */
  readonly provider: string
  /** How messages call the server. Default: its host. */
  readonly name?: string
  /** Requests go below it and nowhere else, so that what `headers` carries stays with its origin. */
  readonly baseUrl: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as `authorization: Bearer …`. */
  readonly apiKey?: string | undefined
  /** Until the connection stands, with TLS. Default 10,000. There is no other deadline here: the engine owns those. */
  readonly connectMs?: number
}

export interface HttpClient {
  readonly peer: Peer
  /** Resolves with the headers. Throws `RunletError`, or the signal's reason as soon as it aborts. */
  send(path: string, call: HttpCall): Promise<HttpAnswer>
}

export interface HttpCall {
  /** With a body it is a POST, without a GET. */
  readonly body?: JsonObject
  readonly accept: string
  readonly signal: AbortSignal
  /** Sent as the header of that name, so that the provider's traces join ours. */
  readonly traceparent?: string | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly header: HeaderOf
  /** Media type without parameters, in lower case; empty if the server gave none. */
  readonly mediaType: string
  /** The bytes as they come, once. Throws the signal's reason, or `network` when the connection breaks. */
  readonly bytes: AsyncIterable<Uint8Array>
  /** The whole body as text, or its first `maxBytes` if it is longer. */
  text(maxBytes: number): Promise<string>
  /**
   * What an answer that refuses says, as far as it comes within a size and a time: the status counts, also where the
   * body hangs, breaks or cannot be read. Throws the signal's reason only.
   */
  errorText(): Promise<string>
  /** Lets go of the connection: closed at once, or, once the answer is over, kept for the next request. */
  close(options: { readonly over: boolean }): void
}

/** How much of what a refusal says is read, and how long it is waited for. */
const ERROR_BYTES = 64 << 10
const ERROR_MS = 2000

/** How long, and for how many bytes, the end of an answer is waited for that is over by its meaning. */
const LINGER_MS = 1000
const LINGER_BYTES = 16 << 10

/**
 * HTTP to one model API, on its own pool of connections. Redirects are not followed: a key would travel along. Proxy
 * variables are honoured, but never for this machine itself.
 *
 * `undici.request` takes four fifths of the CPU of `undici.fetch` for a stream of small chunks, and its body can be
 * closed while a read is under way.
 */
export function httpClient(options: HttpOptions): HttpClient {
  const { provider, headers = {}, apiKey, connectMs = 10_000 } = options
  const base = checkedBase(options.baseUrl)
  const secrets = [apiKey, ...Object.values(headers)].filter((value) => value !== undefined && value.length >= 8)
  const peer: Peer = {
    provider,
    name: options.name ?? base.host,
    redact: (text) => secrets.reduce<string>((rest, secret) => rest.replaceAll(secret!, '[redacted]'), text),
  }
  const sent = checkedHeaders(peer, {
    'user-agent': 'runlet',
    'accept-encoding': 'identity',
    ...headers,
    ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
  })
  const dispatcher = dispatcherFor(base, connectMs)

  async function send(path: string, { body, accept, signal, traceparent }: HttpCall): Promise<HttpAnswer> {
    signal.throwIfAborted()
    const url = new URL(base)
    url.pathname = `${base.pathname.replace(/\/+$/, '')}${path}`
    let answer: Dispatcher.ResponseData
    try {
      answer = await request(url, {
        dispatcher,
        method: body ? 'POST' : 'GET',
        headers: {
          ...sent,
          accept,
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...(traceparent === undefined ? {} : { traceparent }),
        },
        body: body ? JSON.stringify(body) : null,
        signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      })
    } catch (error) {
      signal.throwIfAborted()
      throw transportError(peer, error)
    }
    const accepted = httpAnswer(answer, { peer, signal })
    if (accepted.status >= 300 && accepted.status < 400) {
      accepted.close({ over: false })
      throw new RunletError('network', {
        reason: 'redirected',
        message: `${peer.name} sends us elsewhere (HTTP ${accepted.status}), where the key must not go; set the base URL to the final address`,
        provider,
        temporary: false,
        cause: new Error(`location: ${accepted.header('location')}`),
      })
    }
    return accepted
  }

  return { peer, send }
}

function httpAnswer(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { peer, signal }: { readonly peer: Peer; readonly signal: AbortSignal },
): HttpAnswer {
  const header: HeaderOf = (name) => {
    const value = headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  const encoding = (header('content-encoding') ?? 'identity').trim().toLowerCase()
  // Errors reach whoever reads; a body that nobody reads any more must not bring the process down.
  body.on('error', () => {})

  async function* bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    if (!canInflate(encoding)) {
      throw new RunletError('network', {
        reason: 'content_encoding',
        message: `${peer.name} compressed its answer in a way that was not asked for`,
        provider: peer.provider,
        temporary: false,
        cause: new Error(`content-encoding: ${encoding}`),
      })
    }
    try {
      const raw: AsyncIterable<Uint8Array> = body.iterator({ destroyOnReturn: false })
      yield* encoding === 'identity' ? raw : inflated(raw, encoding, peer)
    } catch (error) {
      signal.throwIfAborted()
      throw isRunletError(error) ? error : cutOff(peer, 'its end', error)
    }
  }

  /** The body as text, cut at `maxBytes`. However that ends, the connection is let go. */
  async function* pieces(maxBytes: number): AsyncGenerator<string, void, undefined> {
    const utf8 = utf8Decoder()
    let left = maxBytes
    let over = false
    try {
      for await (const chunk of bytes()) {
        yield utf8.push(chunk.subarray(0, left))
        left -= chunk.length
        if (left <= 0) break
      }
      over = left > 0
      yield utf8.end()
    } finally {
      close({ over })
    }
  }

  function close({ over }: { readonly over: boolean }): void {
    if (!over) body.destroy()
    else linger(body)
  }

  return {
    status: statusCode,
    header,
    mediaType: (header('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase(),
    bytes: bytes(),
    async text(maxBytes) {
      let text = ''
      for await (const piece of pieces(maxBytes)) text += piece
      return text
    },
    async errorText() {
      let text = ''
      const timer = setTimeout(() => close({ over: false }), ERROR_MS)
      try {
        for await (const piece of pieces(ERROR_BYTES)) text += piece
      } catch {
        signal.throwIfAborted()
      } finally {
        clearTimeout(timer)
      }
      return text
    },
    close,
  }
}

/**
 * Reads the little that stands between the end mark and the end of the body, so that the connection can serve again.
 * A server that keeps it open instead, or goes on talking, is hung up on.
 */
function linger(body: Dispatcher.ResponseData['body']): void {
  if (body.closed || body.destroyed) return
  let left = LINGER_BYTES
  const timer = setTimeout(() => body.destroy(), LINGER_MS).unref()
  body.on('close', () => clearTimeout(timer))
  body.on('data', (chunk: Uint8Array) => {
    left -= chunk.length
    if (left < 0) body.destroy()
  })
  body.resume()
}

/** As many connections as there are runs, each reused; no deadline but the one for connecting. */
function dispatcherFor(base: URL, connectMs: number): Dispatcher {
  const options = { connect: { timeout: connectMs }, headersTimeout: 0, bodyTimeout: 0 }
  const { env } = process
  const proxy = env['http_proxy'] ?? env['HTTP_PROXY'] ?? env['https_proxy'] ?? env['HTTPS_PROXY']
  return proxy && !isLoopback(base.hostname) ? new EnvHttpProxyAgent(options) : new Agent(options)
}

const isLoopback = (hostname: string) =>
  hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || hostname.startsWith('127.')

function checkedBase(text: string): URL {
  const base = URL.canParse(text) ? new URL(text) : undefined
  if (base && /^https?:$/.test(base.protocol) && base.username === '' && base.password === '') return base
  throw new RunletError('invalid_request', {
    reason: 'bad_base_url',
    message: 'the base URL of a provider must begin with http:// or https:// and hold no user name or password',
  })
}

function checkedHeaders(peer: Peer, headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(headers)) {
    // A key that was read from a file often brings its line end along.
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new RunletError('invalid_request', {
        reason: 'bad_header',
        message: `the ${name === 'authorization' ? 'API key' : `header ${name}`} for ${peer.name} holds a line end or another character that no header can carry`,
        provider: peer.provider,
      })
    }
  }
  return headers
}
