import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http'
import { openaiChat } from './dialects.ts'

/** Asks the source with `node:http`, on connections that are kept. */
export function upstream(sourceUrl: string): (onAnswer: (answer: IncomingMessage) => void) => ClientRequest {
  const agent = new Agent({ keepAlive: true })
  const { path, headers, body } = openaiChat.ask
  return (onAnswer) => {
    const asking = request(`${sourceUrl}${path}`, { method: 'POST', agent, headers: { ...headers } }, onAnswer)
    asking.on('error', () => {})
    asking.end(body)
    return asking
  }
}
