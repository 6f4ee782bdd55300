import type { Api } from './apis/api.ts'
import type { Faults } from './faults.ts'
import { type Reel, frameEnds, latin1, splice } from './reel.ts'

/** The reel with the faults that change its bytes: a broken frame, an error in mid-stream, no end mark. */
export function damaged(reel: Reel, faults: Faults, api: Api): Reel {
  let result = reel
  if (faults.malformed !== undefined) result = withBrokenFrame(result, faults.malformed)
  if (faults.noDone && reel.framing !== 'whole') result = withoutEndMark(result, api)
  if (faults.error !== undefined && reel.framing !== 'whole') {
    const after = frameEnds(reel.framing, result.bytes)[faults.error - 1] ?? (faults.error === 0 ? 0 : undefined)
    // A stream with fewer frames has its error at the end.
    const from = after ?? result.bytes.length
    result = splice(result, from, result.bytes.length, Buffer.from(api.errorFrame()))
  }
  return result
}

/** Cuts the JSON of frame `n` in half; its line ends stay. A frame without JSON gets half an object instead. */
function withBrokenFrame(reel: Reel, n: number): Reel {
  const ends = frameEnds(reel.framing, reel.bytes)
  const to = ends[n - 1]
  if (to === undefined) return reel
  const from = ends[n - 2] ?? 0
  const frame = latin1(reel.bytes.subarray(from, to))
  const terminator = /[\r\n]*$/.exec(frame)![0]
  const open = frame.indexOf('{')
  const close = frame.length - terminator.length
  const prefix = reel.framing === 'sse' ? 'data: ' : ''
  const half = open < 0 ? `${prefix}{"` : frame.slice(0, open + Math.max(2, Math.floor((close - open) / 2)))
  return splice(reel, from, to, Buffer.from(half + terminator, 'latin1'))
}

function withoutEndMark(reel: Reel, api: Api): Reel {
  const ends = frameEnds(reel.framing, reel.bytes)
  const text = latin1(reel.bytes)
  for (let i = ends.length - 1; i >= 0; i--) {
    const from = ends[i - 1] ?? 0
    if (api.endMark.test(text.slice(from, ends[i]))) return splice(reel, from, ends[i]!, Buffer.alloc(0))
  }
  return reel
}
