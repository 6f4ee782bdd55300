import type { Failure } from './api.ts'

const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  429: 'requests',
}

/** OpenAI's error object, as an answer and as a frame in mid-stream. */
export function openaiError({ status, code, message }: Failure) {
  const type = types[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error')
  return { error: { message, type, param: code === 'model_not_found' ? 'model' : null, code } }
}

export const openaiErrorFrame = (): string =>
  `data: ${JSON.stringify(
    openaiError({
      status: 500,
      code: 'server_error',
      message: 'The server had an error while processing your request. Sorry about that!',
    }),
  )}\n\n`
