/** Numbers and times as people read them. */

/** `420 ms`, `1.34 s`, `5 s`, `12.3 s`, `4 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${Number((ms / 1_000).toFixed(ms < 10_000 ? 2 : 1))} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`
}

/** `just now`, `5 min ago`, `3 h ago`, then the date. */
export function ago(then: number, now: number = Date.now()): string {
  const seconds = Math.max(0, (now - then) / 1_000)
  if (seconds < 45) return 'just now'
  if (seconds < 3_600) return `${Math.max(1, Math.round(seconds / 60))} min ago`
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h ago`
  return new Date(then).toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' })
}

/** With the thousands apart: `12,345`. */
export const count = (number: number): string => Math.round(number).toLocaleString('en')

/** `1 token`, `2 tokens`. */
export const counted = (number: number, noun: string): string => `${count(number)} ${noun}${number === 1 ? '' : 's'}`

/** A rate with as many digits as it deserves. */
export const rate = (perSecond: number): string => (perSecond < 10 ? perSecond.toFixed(1) : count(perSecond))

/**
 * With a full stop, and a capital where that is safe: what begins with anything but one of these words may begin with a
 * name (`openai needs a key`), which is written as it is.
 */
export const sentence = (text: string): string => {
  const ordinary =
    /^(?:a|an|the|this|that|these|it|its|there|what|which|who|no|none|nothing|not|more|each|only|such|one|your)\b/
  const begun = ordinary.test(text) ? `${text.slice(0, 1).toUpperCase()}${text.slice(1)}` : text
  return /[.!?]$/.test(begun) ? begun : `${begun}.`
}
