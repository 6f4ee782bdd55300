import { RunletError } from '../../../core/error.ts'

/**
 * What is wrong with a path that only a client of OpenAI's would ask for: a base URL without its `/v1`, or an API of
 * theirs that is not here. Such a client reads errors in OpenAI's shape alone. Undefined for any other path.
 */
export function openaiPathMissing(path: string): RunletError | undefined {
  const [, version, api] =
    /^(\/v1)?\/(chat\/completions|completions|responses|embeddings|images|audio|files|batches|assistants|moderations)\b/.exec(
      path,
    ) ?? []
  if (api === undefined) return undefined
  const base = version === undefined && api === 'chat/completions'
  return new RunletError('not_found', {
    reason: 'path_unknown',
    message: base
      ? `there is nothing at ${path.slice(0, 80)}: the base URL of an OpenAI client ends with /v1 here`
      : `Runlet speaks OpenAI's Chat Completions, at /v1/chat/completions; there is no ${api} here`,
  })
}
