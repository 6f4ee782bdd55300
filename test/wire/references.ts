/** Slow and plain readings of whole streams, which share nothing with the decoders but the definition. */
import type { SseFrame } from '../../src/wire/sse.ts'

/** All bytes first, then the definition. */
export function lineReference(bytes: Uint8Array): string[] {
  const found = new TextDecoder().decode(bytes).split('\n')
  if (found.at(-1) === '') found.pop()
  return found.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}

/** The algorithm of the HTML standard, section 9.2.6, over the whole text at once. */
export function frameReference(bytes: Uint8Array): SseFrame[] {
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\r|\n/)
  lines.pop()
  const frames: SseFrame[] = []
  let data: string[] = []
  let event = ''
  let id: string | undefined
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0)
        frames.push({ data: data.join('\n'), ...(event && { event }), ...(id !== undefined && { id }) })
      data = []
      event = ''
      id = undefined
      continue
    }
    const colon = line.indexOf(':')
    if (colon === 0) continue
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id' && !value.includes('\0')) id = value
  }
  return frames
}
