/** Bytes become frames, and frames become events, by machines of one shape: what goes in may be cut anywhere. */

/** Takes a stream piece by piece and gives what the pieces add up to. Made for one stream, used once. */
export interface Decoder<T, In = Uint8Array> {
  /** Adds what `piece` completes to `out`. When it throws, what stood before the fault is in `out` already. */
  push(piece: In, out: T[]): void
  /** The pieces are over: adds what is left, or throws if the stream may not end here. */
  end(out: T[]): void
  /** True once the stream's own end mark came. What follows the mark is not read. */
  readonly ended?: boolean
}

/**
 * Everything that one chunk completes, as one array, never an empty one. A fault is thrown after what stood before it
 * was handed on, so that the cuts between chunks decide nothing. Stops reading at the end mark.
 */
export async function* decode<T>(
  chunks: AsyncIterable<Uint8Array>,
  decoder: Decoder<T>,
): AsyncGenerator<T[], void, undefined> {
  for await (const chunk of chunks) {
    const out: T[] = []
    const fault = caught(() => decoder.push(chunk, out))
    if (out.length > 0) yield out
    if (fault) throw fault.error
    if (decoder.ended) return
  }
  const out: T[] = []
  const fault = caught(() => decoder.end(out))
  if (out.length > 0) yield out
  if (fault) throw fault.error
}

function caught(work: () => void): { readonly error: unknown } | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return { error }
  }
}

/** One decoder out of two: what the first makes goes into the second. */
export function pipe<Frame, T>(first: Decoder<Frame>, second: Decoder<T, Frame>): Decoder<T> {
  const feed = (frames: readonly Frame[], out: T[]) => {
    for (const frame of frames) {
      if (second.ended) return
      second.push(frame, out)
    }
  }
  return {
    get ended() {
      return second.ended ?? false
    },
    push(chunk, out) {
      const frames: Frame[] = []
      const fault = caught(() => first.push(chunk, frames))
      // Frames before a fault count: one of them may be at fault earlier, or be the end mark, behind which nothing is.
      feed(frames, out)
      if (fault && !second.ended) throw fault.error
    },
    end(out) {
      const frames: Frame[] = []
      first.end(frames)
      feed(frames, out)
      if (!second.ended) second.end(out)
    },
  }
}
