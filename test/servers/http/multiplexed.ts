import { createParser } from 'eventsource-parser'
import { lineOf, parseLine } from '../../../src/core/line.ts'
import { unbroken } from '../../../src/formats/shared/unbroken.ts'

/** What a strict client makes of a multiplexed stream. */
export interface Several {
  /** By run: the ids of its frames, and its lines. */
  readonly runs: ReadonlyMap<string, { readonly ids: string[]; readonly lines: string[] }>
  /** Everything that is no entry, in order. */
  readonly controls: readonly Record<string, unknown>[]
  /** The runs of all frames, in order, each row of one run as one. */
  readonly turns: readonly string[]
}

/** Throws on whatever is not as PROTOCOL.md says: an entry without its run, out of order, or in half. */
export function several(body: string | Uint8Array): Several {
  const runs = new Map<string, { ids: string[]; lines: string[] }>()
  const controls: Record<string, unknown>[] = []
  const turns: string[] = []
  const parser = createParser({
    onEvent({ event, id, data }) {
      if (event === 'control') {
        if (id !== undefined) throw new Error(`a control record is no place: ${id}`)
        controls.push(JSON.parse(data) as Record<string, unknown>)
        return
      }
      if (event !== undefined) throw new Error(`a frame is called ${event}`)
      const [run, cursor] = (id ?? '').split('@')
      const known = runs.get(run!) ?? { ids: [], lines: [] }
      runs.set(run!, known)
      const entry = parseLine(data)
      if (data !== unbroken(lineOf(entry))) throw new Error(`not a stored line: ${data.slice(0, 80)}`)
      if (cursor?.split('-')[1] !== String(entry.seq)) throw new Error(`${id} carries entry ${entry.seq}`)
      known.ids.push(cursor)
      known.lines.push(data)
      if (turns.at(-1) !== run) turns.push(run!)
    },
    onComment(text) {
      throw new Error(`a comment, which an EventSource does not hear: ${text}`)
    },
  })
  parser.feed(typeof body === 'string' ? body : Buffer.from(body).toString())
  return { runs, controls, turns }
}
