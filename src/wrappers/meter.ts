import type { Usage } from '../core/event.ts'
import { estimateTokens } from '../core/message.ts'
import type { ModelRequest, ProviderEvent } from '../core/provider.ts'

/** Counts what a call uses while it streams. */
export interface Meter {
  add(event: ProviderEvent): void
  /** The provider's own count once it told it; until then four characters a token. Nothing before the provider accepted. */
  usage(): Usage
}

export function meter({ messages, tools }: ModelRequest): Meter {
  let asked = 0
  let characters = 0
  let exact: Usage | undefined
  /** Of the calls that came in pieces, which their whole repeats. */
  const pieced = new Set<string>()

  return {
    add(event) {
      switch (event.type) {
        case 'start':
          asked = estimateTokens(messages) + toolTokens(tools)
          break
        case 'text':
        case 'reasoning':
          characters += event.text.length
          break
        case 'tool_call_delta':
          pieced.add(event.call_id)
          characters += event.json.length
          break
        case 'tool_call':
          if (!pieced.has(event.call_id)) characters += JSON.stringify(event.input).length
          break
        case 'done':
          exact = event.usage
          break
        default:
          break
      }
    },
    usage() {
      if (exact) return exact
      const output_tokens = Math.ceil(characters / 4)
      return {
        input_tokens: asked,
        output_tokens,
        total_tokens: asked + output_tokens,
        accuracy: 'estimated',
      }
    },
  }
}

/** About how many tokens it takes to tell a model of its tools. */
export function toolTokens(tools: ModelRequest['tools']): number {
  return tools.length === 0 ? 0 : Math.ceil(JSON.stringify(tools).length / 4)
}
