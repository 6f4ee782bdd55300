/** Ollama tells an error as one sentence, without a code: the sentences that we know, and what they mean. */
import { codeOfStatus, type ErrorCode, type RunletError } from '../../core/error.ts'
import type { Peer } from '../shared/peer.ts'
import { refusalError } from '../shared/refusal.ts'
import { retryAfterMs, type HeaderOf } from '../shared/retry-after.ts'

interface Known {
  readonly sentence: RegExp
  readonly code: ErrorCode
  readonly reason: string
  /** What to tell people, after the server's name. Default: what the code means. */
  readonly says?: (model: string) => string
}

/** Seen in ollama/ollama: server/routes.go, server/sched.go, llm/server.go, middleware. The first that fits counts. */
export const ollamaSentences: readonly Known[] = [
  {
    sentence: /model .*not found|try pulling it first/i,
    code: 'not_found',
    reason: 'model_not_found',
    says: (model) => `has no model ${model}; get it with \`ollama pull ${model}\``,
  },
  { sentence: /does not support/i, code: 'unsupported', reason: 'not_supported' },
  {
    sentence: /(more system|out of|insufficient|not enough) memory/i,
    code: 'provider_unavailable',
    reason: 'out_of_memory',
    says: (model) => `has not enough memory for ${model}; stop other models, or use a smaller one`,
  },
  {
    sentence: /context (length|window|size)|(input|prompt) (length |is )?(exceeds|too long)/i,
    code: 'context_length_exceeded',
    reason: 'context_length_exceeded',
  },
  { sentence: /server busy|maximum pending requests/i, code: 'overloaded', reason: 'server_busy' },
  {
    sentence:
      /runner process (has terminated|no longer running)|server (is )?(currently )?(unavailable|not responding)/i,
    code: 'provider_unavailable',
    reason: 'runner_lost',
    says: (model) => `lost the process that ran ${model}; try again, and look into its log if that does not help`,
  },
  { sentence: /timed? ?out|deadline exceeded/i, code: 'timeout', reason: 'provider_timeout' },
  { sentence: /connection (refused|failed|reset)/i, code: 'network', reason: 'runner_unreachable' },
  { sentence: /unauthorized/i, code: 'unauthorized', reason: 'unauthorized' },
  {
    sentence: /invalid .*request|missing request body/i,
    code: 'invalid_request',
    reason: 'bad_request',
  },
]

export interface OllamaRefusal {
  /** The model that was asked for. */
  readonly model: string
  /** What the server said. */
  readonly words: string
  /** The HTTP status, or the one that newer servers put into an error line. */
  readonly status?: number | undefined
  readonly header?: HeaderOf
}

export function ollamaError(peer: Peer, { model, words, status, header }: OllamaRefusal): RunletError {
  const known = ollamaSentences.find(({ sentence }) => sentence.test(words))
  const plain = status === undefined ? 'provider_error' : `http_${status}`
  return refusalError(peer, {
    code: known?.code ?? (status === undefined ? 'internal' : codeOfStatus(status)),
    reason: known?.reason ?? plain,
    words,
    ...(known?.says ? { says: known.says(model) } : {}),
    ...(status === undefined ? {} : { status }),
    ...(header ? { retryAfterMs: retryAfterMs(header) } : {}),
  })
}
