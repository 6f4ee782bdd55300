import { RunletError } from '../../core/error.ts'
import type { Peer } from './peer.ts'

/** Longest name of a tool, in characters: four times what a tool's own may have. It stands in every fragment's event. */
const MAX_NAME = 256

/** The name that a model calls a tool by, whether there is such a tool or not. Throws `badCall`. */
export function checkedName(peer: Peer, name: unknown): string {
  if (typeof name !== 'string' || name === '') throw badCall(peer, 'bad_tool_call', 'a tool call without a name')
  if (name.length <= MAX_NAME) return name
  throw badCall(peer, 'bad_tool_call', `a tool call whose name is longer than ${MAX_NAME} characters`)
}

/**
 * The error for a tool call that cannot be made of what the model wrote. `what` says what it wrote. The connection is
 * sound and our request too: another try may help.
 */
export function badCall(
  peer: Peer,
  reason: 'bad_tool_call' | 'bad_tool_arguments',
  what: string,
  cause?: unknown,
): RunletError {
  return new RunletError('internal', {
    reason,
    message: `the model at ${peer.name} wrote ${what}; no tool was run. Ask again, or use another model`,
    provider: peer.provider,
    ...(cause === undefined ? {} : { cause }),
  })
}
