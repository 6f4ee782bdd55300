import { micros } from '../clock.ts'
import { countMarks } from '../mark.ts'
import { type Ask, openLine, requestBytes, type Line } from './line.ts'

export interface FollowOptions {
  readonly port: number
  readonly ask: Ask
  readonly readers: number
}

export interface Followed {
  /** When the last reader had its last byte, on the machine's clock. Microseconds. */
  readonly endedUs: number
  /** Marked events that each reader got. */
  readonly events: number
}

export interface Following {
  /** Resolves when every reader has the end of its stream. Rejects if any broke off, or got another number of events than the others. */
  readonly ended: Promise<Followed>
  stop(): void
}

/** Opens readers of one stream. Resolves when each has had its first byte. */
export async function startFollow({ port, ask, readers }: FollowOptions): Promise<Following> {
  const request = requestBytes(ask, port)
  const lines: Line[] = []
  const events = new Uint32Array(readers)

  const open = () => new Promise<void>((opened, failed) => ends.push(read(lines.length, opened, failed)))
  const read = (index: number, opened: () => void, failed: (error: Error) => void) =>
    new Promise<void>((resolve, reject) => {
      const line = openLine(port)
      let silent = true
      lines.push(line)
      line.ask(request, {
        onBytes(chunk) {
          if (silent) opened()
          silent = false
          events[index]! += countMarks(chunk)
        },
        onEnd: resolve,
        onFailure(error) {
          failed(error)
          reject(error)
        },
      })
    })

  const ends: Promise<void>[] = []
  const openings = Array.from({ length: readers }, open)
  const ended = Promise.all(ends).then((): Followed => {
    const endedUs = micros()
    const odd = events.findIndex((count) => count !== events[0])
    if (odd >= 0) throw new Error(`reader ${odd} got ${events[odd]} events, reader 0 got ${events[0]}`)
    return { endedUs, events: events[0]! }
  })
  // Whoever asks for it is told; until then a broken reader must not end the process.
  ended.catch(() => {})
  await Promise.all(openings)

  return {
    ended,
    stop() {
      for (const line of lines) line.close()
    },
  }
}
