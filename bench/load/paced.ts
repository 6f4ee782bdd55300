import { micros } from '../clock.ts'
import { stampReader } from '../mark.ts'
import { percentile } from '../spread.ts'
import { type Ask, openLine, requestBytes, type Line } from './line.ts'

export interface PacedOptions {
  readonly port: number
  readonly ask: Ask
  /** Answers under way at once. They are asked for one after another within `rampMs`, so that their tokens are not due together. */
  readonly runs: number
  readonly rampMs: number
}

/** What came since the last sample. */
export interface PacedSample {
  readonly tokens: number
  readonly seconds: number
  /** From the source's write to our read, in microseconds; NaN where nothing came. */
  readonly p50: number
  readonly p99: number
  /** Runs of which something came. */
  readonly alive: number
  readonly failure?: string
}

export interface PacedLoad {
  sample(): PacedSample
  stop(): void
}

/** Resolves when all runs are asked for. */
export async function startPaced({ port, ask, runs, rampMs }: PacedOptions): Promise<PacedLoad> {
  const request = requestBytes(ask, port)
  const lines: Line[] = []
  let delays: number[] = []
  let alive = new Set<Line>()
  let since = micros()
  let failure: string | undefined

  function open(): void {
    const stamps = stampReader()
    const line = openLine(port)
    lines.push(line)
    line.ask(request, {
      onBytes(chunk) {
        const now = micros()
        alive.add(line)
        stamps.push(chunk, (us) => delays.push(now - us))
      },
      onEnd: () => {
        failure ??= 'an answer without an end ended'
      },
      onFailure: (error) => {
        failure ??= error.message
      },
    })
  }

  await new Promise<void>((resolve) => {
    const begun = micros()
    const timer = setInterval(() => {
      const due = Math.min(runs, Math.ceil(((micros() - begun) / 1000 / rampMs) * runs))
      while (lines.length < due) open()
      if (due < runs) return
      clearInterval(timer)
      resolve()
    }, 1)
  })

  return {
    sample() {
      const sorted = Float64Array.from(delays).toSorted()
      const now = micros()
      const sample: PacedSample = {
        tokens: delays.length,
        seconds: (now - since) / 1e6,
        p50: percentile(sorted, 50),
        p99: percentile(sorted, 99),
        alive: alive.size,
        ...(failure === undefined ? {} : { failure }),
      }
      delays = []
      alive = new Set()
      since = now
      return sample
    },
    stop() {
      for (const line of lines) line.close()
    },
  }
}
