import type { Usage } from '../../core/event.ts'
import { isRecord } from '../../wire/json.ts'
import { countOf, sumOf } from '../shared/count.ts'

/** The `usage` member of a chunk; undefined if it counts nothing. Odd numbers never fail a stream. */
export function chatUsage(value: unknown): Usage | undefined {
  if (!isRecord(value)) return undefined
  const input = countOf(value['prompt_tokens'])
  const visible = countOf(value['completion_tokens'])
  if (input === undefined && visible === undefined) return undefined
  const total = countOf(value['total_tokens'])
  const reasoning = countOf(detail(value['completion_tokens_details'], 'reasoning_tokens'))
  const cached =
    countOf(detail(value['prompt_tokens_details'], 'cached_tokens')) ?? countOf(value['prompt_cache_hit_tokens'])
  // xAI counts reasoning beside the completion, everyone else inside it; the total tells which.
  const apart = reasoning !== undefined && total === (input ?? 0) + (visible ?? 0) + reasoning
  const output = sumOf(visible ?? 0, apart ? reasoning : 0)
  return {
    input_tokens: input ?? 0,
    output_tokens: output,
    total_tokens: total ?? sumOf(input ?? 0, output),
    ...(reasoning === undefined ? {} : { reasoning_tokens: Math.min(reasoning, output) }),
    ...(cached === undefined ? {} : { cached_tokens: cached }),
    accuracy: input === undefined || visible === undefined ? 'estimated' : 'exact',
  }
}

const detail = (value: unknown, name: string): unknown => (isRecord(value) ? value[name] : undefined)
