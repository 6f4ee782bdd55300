import type { JsonObject } from '../../core/json.ts'
import type { ProviderEvent } from '../../core/provider.ts'
import { boundedJson, isRecord, parseJsonObject } from '../../wire/json.ts'
import { badCall, checkedName } from '../shared/bad-call.ts'
import type { CallIds } from '../shared/call-ids.ts'
import { MAX_FRAME } from '../shared/events.ts'
import type { Peer } from '../shared/peer.ts'
import { wholeText, type WholeText } from '../shared/whole-text.ts'

/** Puts tool calls together from the fragments in which they come. */
export interface ToolCalls {
  /** Whether any fragment has come. */
  readonly any: boolean
  /** One item of `delta.tool_calls`. Adds what can be shown of it to `out`. */
  add(fragment: unknown, out: ProviderEvent[]): void
  /** The provider has closed its stream: adds every call, in index order, or throws and adds none. */
  close(out: ProviderEvent[]): void
}

interface OpenCall {
  /** Place among the calls. A call without an index stands where the one before it does, and so behind it. */
  readonly index: number
  readonly callId: string
  /** The id that the provider gave; empty until it gives one. */
  theirId: string
  name: string
  json: string
  /** What waits to be shown until the name is known. */
  waiting: string
  readonly shown: WholeText
}

const MAX_CALLS = 128

/**
 * A fragment belongs to the call of its `index`, if that is a number a call can have; else to the call of its id; else
 * to the last call. A second id at one index begins another call (Ollama and others number every call 0). Null and ""
 * count as absent: Alibaba and Writer continue a call with an empty id, Mistral with an empty name.
 */
export function toolCalls(peer: Peer, ids: CallIds): ToolCalls {
  const calls: OpenCall[] = []
  let size = 0

  function callOf(index: number | undefined, id: string): OpenCall {
    let found: OpenCall | undefined
    if (index !== undefined) {
      found = calls.findLast((call) => call.index === index)
      if (found && id !== '' && found.theirId !== '' && found.theirId !== id) found = undefined
    } else {
      found = id === '' ? calls.at(-1) : calls.find((call) => call.theirId === id)
    }
    if (found) return found
    if (calls.length >= MAX_CALLS)
      throw badCall(peer, 'bad_tool_call', `more than ${MAX_CALLS} tool calls in one answer`)
    const call: OpenCall = {
      index: index ?? calls.at(-1)?.index ?? 0,
      callId: ids.take(id),
      theirId: id,
      name: '',
      json: '',
      waiting: '',
      shown: wholeText(),
    }
    calls.push(call)
    return call
  }

  return {
    get any() {
      return calls.length > 0
    },
    add(fragment, out) {
      if (!isRecord(fragment)) return
      const { index, function: body } = fragment
      const id = textIn(fragment['id'])
      const call = callOf(isIndex(index) ? index : undefined, id)
      if (call.theirId === '') call.theirId = id
      if (!isRecord(body)) return
      if (textIn(body['name']) !== '') call.name = checkedName(peer, body['name'])
      const piece = argumentsIn(peer, body['arguments'])
      size += piece.length
      if (size > MAX_FRAME) throw badCall(peer, 'bad_tool_arguments', 'tool arguments that do not end')
      call.json += piece
      call.waiting += piece
      if (call.name === '' || call.waiting === '') return
      const json = call.shown.push(call.waiting)
      call.waiting = ''
      if (json !== '') out.push({ type: 'tool_call_delta', call_id: call.callId, name: call.name, json })
    },
    close(out) {
      const closed = calls
        .toSorted((a, b) => a.index - b.index)
        .map(({ callId: call_id, name, json }): ProviderEvent => ({
          type: 'tool_call',
          call_id,
          name: checkedName(peer, name),
          input: inputOf(peer, json),
        }))
      out.push(...closed)
    },
  }
}

/** Strictly, and only here, at the end: what is cut or damaged is never repaired into a call. */
function inputOf(peer: Peer, json: string): JsonObject {
  if (json.trim() === '') return {}
  try {
    return parseJsonObject(json, { maxBytes: MAX_FRAME })
  } catch (error) {
    throw notAnObject(peer, error)
  }
}

const notAnObject = (peer: Peer, cause: unknown) =>
  badCall(peer, 'bad_tool_arguments', 'tool arguments that are not a JSON object', cause)

const isIndex = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) < 4096

const textIn = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Some servers send the object itself, which may be nested deeper than can be written down. */
function argumentsIn(peer: Peer, value: unknown): string {
  if (!isRecord(value)) return textIn(value)
  try {
    return JSON.stringify(boundedJson(value))
  } catch (error) {
    throw notAnObject(peer, error)
  }
}
