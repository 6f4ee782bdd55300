/** The stream parser of the HTML standard (9.2.6), word for word and as slow as that is: what browsers do. */
export interface ReferenceEvent {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

export function referenceSse(bytes: Uint8Array): { events: ReferenceEvent[]; comments: string[]; retryMs?: number } {
  const text = new TextDecoder('utf-8', { ignoreBOM: false }).decode(bytes)
  const lines = text.split(/\r\n|\n|\r/)
  // What stands behind the last line end is no line yet.
  lines.pop()
  const events: ReferenceEvent[] = []
  const comments: string[] = []
  let retryMs: number | undefined
  let data = ''
  let type = ''
  let idBuffer = ''
  let lastEventId = ''
  for (const line of lines) {
    if (line === '') {
      lastEventId = idBuffer
      if (data !== '') events.push({ type: type || 'message', data: data.replace(/\n$/, ''), lastEventId })
      data = ''
      type = ''
      continue
    }
    if (line.startsWith(':')) {
      comments.push(line.slice(1))
      continue
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') type = value
    else if (field === 'data') data += `${value}\n`
    else if (field === 'id' && !value.includes('\0')) idBuffer = value
    else if (field === 'retry' && /^[0-9]+$/.test(value)) retryMs = Number(value)
  }
  return { events, comments, ...(retryMs === undefined ? {} : { retryMs }) }
}
