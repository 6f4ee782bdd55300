import type { JsonObject, JsonValue } from '../../core/json.ts'
import { boundedJson, isRecord, type JsonRecord } from '../../wire/json.ts'

/**
 * Finds, in the chunks of one answer, the fields that have no event of their own and that clients of the API read. What
 * is nested too deeply or has too many members to be stored is left out: no answer is worth less without it.
 */
export interface FieldKeeper {
  /** What is to be kept of a chunk, in the shape of a chunk; undefined if there is nothing, or nothing else than before. */
  take(chunk: JsonRecord): JsonObject | undefined
}

/** Of the whole answer: OpenAI, OpenRouter, Perplexity, Azure, Groq. Told again only where they change. */
const ofAnswer = [
  'system_fingerprint',
  'service_tier',
  'moderation',
  'provider',
  'citations',
  'search_results',
  'images',
  'related_questions',
  'prompt_filter_results',
  'x_groq',
] as const

/** Of the choice, told again only where they change: Azure, OpenRouter, vLLM. */
const ofChoice = ['content_filter_results', 'native_finish_reason', 'stop_reason'] as const

/** Pieces of the answer: each one counts. */
const pieces = ['refusal', 'reasoning_details'] as const

export function fieldKeeper(): FieldKeeper {
  const told = new Map<string, string>()

  /** The members of `from` that say something else than they last did. */
  function changed(from: JsonRecord, names: readonly string[]): JsonObject {
    const found: Record<string, JsonValue> = {}
    for (const name of names) {
      const value = storable(from[name])
      if (value === undefined) continue
      const text = JSON.stringify(value)
      if (told.get(name) === text) continue
      told.set(name, text)
      found[name] = value
    }
    return found
  }

  return {
    take(chunk) {
      const { choices } = chunk
      const first: unknown = Array.isArray(choices)
        ? choices.find((choice) => isRecord(choice) && (choice['index'] ?? 0) === 0)
        : undefined
      const fields: JsonObject = changed(chunk, ofAnswer)
      const choice: JsonObject = isRecord(first) ? { ...piecesOf(first), ...changed(first, ofChoice) } : {}
      if (Object.keys(choice).length > 0) return { ...fields, choices: [{ index: 0, ...choice }] }
      return Object.keys(fields).length > 0 ? fields : undefined
    },
  }
}

function piecesOf({ logprobs, delta }: JsonRecord): JsonObject {
  const said = isRecord(delta) ? kept(delta, pieces) : {}
  return { ...(Object.keys(said).length > 0 ? { delta: said } : {}), ...kept({ logprobs }, ['logprobs']) }
}

/** The members of `from` of these names that can be stored. */
function kept(from: JsonRecord, names: readonly string[]): JsonObject {
  const found: Record<string, JsonValue> = {}
  for (const name of names) {
    const value = storable(from[name])
    if (value !== undefined) found[name] = value
  }
  return found
}

/** The value, if there is something in it and it can be stored. */
function storable(value: unknown): JsonValue | undefined {
  if (isEmpty(value)) return undefined
  try {
    return boundedJson(value)
  } catch {
    return undefined
  }
}

/** Null, "" and {} are how servers say that there is nothing. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
