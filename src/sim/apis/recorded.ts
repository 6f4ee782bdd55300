/** APIs that the simulator does not speak itself: it plays recordings of them, with pace and faults. */
import type { Api, Failure } from './api.ts'
import { openaiError, openaiErrorFrame } from './openai-errors.ts'

const sse = { framing: 'sse', streamsByDefault: false, contentType: 'text/event-stream; charset=utf-8' } as const

export const openaiCompletions: Api = {
  ...sse,
  kind: 'openai-completions',
  title: 'OpenAI Completions (legacy)',
  path: '/v1/completions',
  mark: /"object":\s*"text_completion"/,
  endMark: /^data: ?\[DONE\]/m,
  frame: (json) => `data: ${json}\n\n`,
  trailer: 'data: [DONE]\n\n',
  errorFrame: openaiErrorFrame,
  errorBody: openaiError,
}

export const openaiResponses: Api = {
  ...sse,
  kind: 'openai-responses',
  title: 'OpenAI Responses',
  path: '/v1/responses',
  mark: /"type":\s*"response\.\w/,
  endMark: /"type":\s*"response\.(?:completed|incomplete|failed)"/,
  frame: namedFrame,
  trailer: '',
  errorFrame: () =>
    namedFrame(
      JSON.stringify({
        type: 'error',
        error: { type: 'server_error', code: 'server_error', message: 'The server had an error.', param: null },
      }),
    ),
  errorBody: openaiError,
}

export const anthropicMessages: Api = {
  ...sse,
  kind: 'anthropic',
  title: 'Anthropic Messages',
  path: '/v1/messages',
  mark: /"type":\s*"message_start"/,
  endMark: /"type":\s*"message_stop"/,
  frame: namedFrame,
  trailer: '',
  errorFrame: () => namedFrame(JSON.stringify(anthropicError({ status: 529, message: 'Overloaded' }))),
  errorBody: anthropicError,
}

export const llamacppCompletion: Api = {
  ...sse,
  kind: 'llamacpp',
  title: 'llama.cpp completion',
  path: '/completion',
  mark: /"content":.*"tokens_predicted":/,
  endMark: /"stop":\s*true/,
  frame: (json) => `data: ${json}\n\n`,
  trailer: '',
  errorFrame: () =>
    'data: {"error":{"code":500,"message":"the simulator was told to fail here","type":"server_error"}}\n\n',
  errorBody: ({ status, message }) => ({
    error: { code: status, message, type: status === 503 ? 'unavailable_error' : 'invalid_request_error' },
  }),
}

/** A frame with its `event:` line, which repeats the payload's own `type`. */
function namedFrame(json: string): string {
  const type = typeOf(json)
  return type === undefined ? `data: ${json}\n\n` : `event: ${type}\ndata: ${json}\n\n`
}

function typeOf(json: string): string | undefined {
  try {
    const { type } = JSON.parse(json)
    return typeof type === 'string' ? type : undefined
  } catch {
    // A payload that is broken on purpose; its type stands first in every recording seen.
    return /"type":\s*"([^"\\]+)"/.exec(json)?.[1]
  }
}

function anthropicError({ status, message }: Pick<Failure, 'status' | 'message'>) {
  return { type: 'error', error: { type: anthropicTypes[status] ?? 'api_error', message } }
}

const anthropicTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
}
