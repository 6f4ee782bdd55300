/** What a run tells besides its answer: that it was taken back, what failed, how it ended. */
import type { ErrorBody } from '../../src/core/error.ts'
import type { Citation, FinishReason, RunEvent } from '../../src/core/event.ts'
import { h } from './dom.ts'
import { safeUrl } from './markdown.ts'
import { counted, duration, sentence } from './words.ts'

/** One quiet line between the paragraphs. */
export const note = (text: string, kind = 'info'): HTMLElement => h('p', { class: `note ${kind}` }, text)

/** The text of a step that is void, gone from the answer; the line in its place says that it was there. */
export function takenBack(chars: number, reason: string): HTMLElement {
  const what = chars > 0 ? `${counted(chars, 'character')} taken back` : 'Begun again'
  return note(`${what}: the stream broke off (${reason}), and the model answers once more.`, 'reset')
}

export function notice(event: Extract<RunEvent, { type: 'status' | 'warning' }>): HTMLElement {
  return note(`${event.message} (${event.code})`, event.type)
}

/** Code, what happened, and what to do. What the button does is said by nothing else. */
export function failure(error: ErrorBody, retry?: () => void): HTMLElement {
  const { retry_after_ms: wait } = error
  const hint = error.temporary
    ? `This may pass: the same request can succeed${wait === undefined ? ' later' : ` in ${duration(wait)}`}.`
    : (byReason[error.reason] ?? advice[error.code])
  return h(
    'div',
    { class: 'failure', role: 'alert', 'data-code': error.code },
    h('p', {}, h('code', {}, error.code), error.reason !== error.code && h('code', { class: 'reason' }, error.reason)),
    h(
      'p',
      { class: 'what' },
      sentence(retry ? error.message.replace(/[.;] Send the request again\.?$/i, '') : error.message),
    ),
    hint !== undefined && h('p', { class: 'hint' }, hint),
    retry && h('button', { type: 'button', class: 'quiet', onclick: retry }, 'Try again'),
  )
}

const advice: Partial<Record<ErrorBody['code'], string>> = {
  unauthorized: 'Check the key of this provider where Runlet was started, then try again.',
  forbidden: 'This is not allowed with the present key or session; another model may do.',
  not_found: 'Correct the name in the model field, or choose one of those that the field offers.',
  context_length_exceeded: 'The conversation is too long for this model: begin a new one, or choose a larger model.',
  content_filtered: 'A filter stopped the answer. Ask in other words.',
  unsupported: 'This model or provider cannot do what was asked; leave it out, or choose another.',
}

const byReason: Readonly<Record<string, string>> = {
  run_unknown: 'The list at the side has the conversations that are there.',
  session_unknown: 'The list at the side has the conversations that are there.',
}

/** What a reader should know of an ending that is not the usual one. */
export const endings: Readonly<Record<FinishReason, string | undefined>> = {
  stop: undefined,
  length: 'The answer stops here because the model reached its limit of tokens.',
  tool_calls: 'The model waits for results of tools that its caller runs.',
  tool_limit: 'Stopped: the model called tools again and again, up to the limit of steps.',
  content_filter: 'A content filter of the provider stopped the answer here.',
  cancelled: 'Stopped. What had come is kept.',
}

export function sources(citations: readonly Citation[]): HTMLElement {
  const items = citations.map(({ uri, title }) => {
    const url = safeUrl(uri)
    const text = title ? `${title} · ${uri}` : uri
    if (url === undefined) return h('li', {}, text)
    return h('li', {}, h('a', { href: url, target: '_blank', rel: 'noopener noreferrer', title: url }, text))
  })
  return h('details', { class: 'sources' }, h('summary', {}, counted(items.length, 'source')), h('ol', {}, ...items))
}
