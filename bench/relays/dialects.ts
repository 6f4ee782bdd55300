import type { Dialect } from './relay.ts'

const json = { 'content-type': 'application/json' }
const chatBody = JSON.stringify({ model: 'bench', stream: true, messages: [{ role: 'user', content: 'Go on.' }] })

/** The source's own. */
export const openaiChat: Dialect = {
  ask: { method: 'POST', path: '/chat/completions', headers: json, body: chatBody },
  textOf(payload) {
    if (payload === '[DONE]') return undefined
    const chunk = JSON.parse(payload) as { choices: { delta: { content?: string } }[] }
    return chunk.choices[0]?.delta.content
  },
}

/** Events of `gai.events.v1`, from servers written by hand. */
export const events: Dialect = {
  ask: { method: 'POST', path: '/', headers: json, body: '{}' },
  textOf(payload) {
    const event = JSON.parse(payload) as { type: string; text?: string }
    return event.type === 'text.delta' ? event.text : undefined
  },
}

/** The AI SDK's UI message stream. */
export const uiMessage: Dialect = {
  ask: events.ask,
  textOf(payload) {
    if (payload === '[DONE]') return undefined
    const part = JSON.parse(payload) as { type: string; delta?: string }
    return part.type === 'text-delta' ? part.delta : undefined
  },
}

/** Runlet's own API: a run is started and followed by one request. */
export const runlet: Dialect = {
  ...events,
  ask: {
    method: 'POST',
    path: '/v1/runs',
    headers: { ...json, accept: 'text/event-stream' },
    body: JSON.stringify({ model: 'source/bench', prompt: 'Go on.' }),
  },
}
