/** Runlet's words in OpenAI's: what a chunk of a stream and a whole answer have in common. */
import type { Citation, FinishReason } from '../../core/event.ts'
import type { RunHeader } from '../../core/log.ts'

/** What stands at the head of every chunk and every answer. */
export function openaiHead(run: RunHeader, object: 'chat.completion' | 'chat.completion.chunk') {
  return {
    id: `chatcmpl-${run.run_id}`,
    object,
    created: Math.floor(run.created_at / 1000),
    model: `${run.provider}/${run.model}`,
  }
}

/** Why an answer ended. A turn that used up its model calls was cut at a limit, as one that used up its tokens. */
export const openaiFinish = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  tool_limit: 'length',
  content_filter: 'content_filter',
} as const satisfies Record<Exclude<FinishReason, 'cancelled'>, string>

/** A call that waits for the caller's result. */
export interface CallerCall {
  readonly call_id: string
  readonly name: string
  readonly input: object
}

export const openaiCall = ({ call_id, name, input }: CallerCall) => ({
  id: call_id,
  type: 'function',
  function: { name, arguments: JSON.stringify(input) },
})

export const openaiAnnotation = ({ uri, title, start, end }: Citation) => ({
  type: 'url_citation',
  url_citation: {
    url: uri,
    ...(title === undefined ? {} : { title }),
    ...(start === undefined ? {} : { start_index: start }),
    ...(end === undefined ? {} : { end_index: end }),
  },
})
