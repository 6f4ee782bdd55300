import type { Citation, Entry, FinishReason } from '../../core/event.ts'
import { emptyView, fold, type RunView } from '../../core/fold.ts'
import type { JsonObject, JsonValue } from '../../core/json.ts'
import type { RunHeader } from '../../core/log.ts'
import { isRecord } from '../../wire/json.ts'
import { ownMembers, without } from './chunks.ts'
import { saidIn } from './place.ts'
import { openaiUsage } from './usage.ts'
import { openaiAnnotation, openaiCall, openaiFinish, openaiHead } from './words.ts'

/** Puts a whole answer together from a run's entries, for those who do not want it in chunks. */
export interface Completion {
  /** The state of the run so far. */
  readonly view: RunView
  add(entries: readonly Entry[]): void
  /** The `chat.completion`. Only for a run that has finished, and was not cancelled. */
  answer(run: RunHeader): JsonObject
}

export function openCompletion(): Completion {
  let view = emptyView
  /** What each step said besides its message: a step that is voided takes it along. */
  let settled: Besides[] = []
  let step: Besides[] = []

  return {
    get view() {
      return view
    },
    add(entries) {
      view = fold(view, entries)
      for (const { event } of entries) {
        if (event.type === 'provider.fields') step.push({ fields: event.fields })
        else if (event.type === 'citations') step.push({ citations: event.citations })
        else if (event.type === 'step.reset') step = []
        else if (event.type === 'step.end') {
          settled = [...settled, ...step]
          step = []
        }
      }
    },
    answer(run) {
      const { settled: said } = saidIn(view, false)
      const { top, choice, message } = mergedFields(settled.flatMap(({ fields }) => (fields ? [fields] : [])))
      const annotations = settled.flatMap(({ citations }) => citations ?? []).map(openaiAnnotation)
      const finish = view.finish_reason as Exclude<FinishReason, 'cancelled'>
      return {
        ...top,
        ...openaiHead(run, 'chat.completion'),
        choices: [
          {
            logprobs: null,
            ...choice,
            index: 0,
            message: {
              refusal: null,
              ...message,
              role: 'assistant',
              content: said.text === '' && said.calls.length > 0 ? null : said.text,
              ...(said.reasoning === '' ? {} : { reasoning_content: said.reasoning }),
              ...(annotations.length > 0 ? { annotations } : {}),
              ...(said.calls.length > 0 ? { tool_calls: said.calls.map(openaiCall) } : {}),
            },
            finish_reason: openaiFinish[finish],
          },
        ],
        ...(view.usage ? { usage: openaiUsage(view.usage) } : {}),
      }
    },
  }
}

interface Besides {
  readonly fields?: JsonObject
  readonly citations?: readonly Citation[]
}

/** The provider's fields of all chunks: lists and texts of a choice grow, everything else is what it last was. */
function mergedFields(all: readonly JsonObject[]): {
  readonly top: JsonObject
  readonly choice: JsonObject
  readonly message: JsonObject
} {
  let top: JsonObject = {}
  let choice: JsonObject = {}
  let message: JsonObject = {}
  for (const { choices, ...fields } of all) {
    top = { ...top, ...without(fields, ownMembers) }
    const first: JsonValue | undefined = Array.isArray(choices) ? choices[0] : undefined
    if (!isRecord(first)) continue
    const { delta, logprobs, ...rest } = first
    choice = { ...choice, ...rest }
    if (isRecord(logprobs)) choice = { ...choice, logprobs: grown(choice['logprobs'], logprobs) }
    if (isRecord(delta)) message = grown(message, delta)
  }
  return { top, choice, message }
}

function grown(before: JsonValue | undefined, more: JsonObject): JsonObject {
  const known: JsonObject = isRecord(before) ? before : {}
  const members = Object.entries(more).map(([name, value]): [string, JsonValue] => {
    const old = known[name]
    if (Array.isArray(old) && Array.isArray(value)) return [name, [...old, ...value]]
    return [name, typeof old === 'string' && typeof value === 'string' ? old + value : value]
  })
  return { ...known, ...Object.fromEntries(members) }
}
