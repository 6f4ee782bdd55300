import type { Message } from '../../core/message.ts'

/** Gives each tool call an id that no other call of the conversation has. */
export interface CallIds {
  /** The provider's own id if it is free, else one of ours: some servers send none, others count from `call_0` each time. */
  take(wanted: string): string
}

/** Ours are `call00001` and so on: the nine letters and digits that Mistral asks for in a history. */
export function callIds(messages: readonly Message[]): CallIds {
  const used = new Set<string>()
  for (const message of messages) {
    if (message.role !== 'assistant') continue
    for (const part of message.parts) if (part.type === 'tool_call') used.add(part.call_id)
  }
  let made = 0
  const take = (wanted: string): string => {
    let id = wanted
    while (id === '' || used.has(id)) id = `call${String(++made).padStart(5, '0')}`
    used.add(id)
    return id
  }
  return { take }
}
