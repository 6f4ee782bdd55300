import { micros } from '../clock.ts'
import { countMarks } from '../mark.ts'
import { type Ask, openLine, requestBytes } from './line.ts'

export interface ReadOnce {
  readonly events: number
  /** From the request to the last byte. Microseconds. */
  readonly us: number
}

/** Reads one stream to its end. */
export function readOnce({ port, ask }: { readonly port: number; readonly ask: Ask }): Promise<ReadOnce> {
  return new Promise((resolve, reject) => {
    const line = openLine(port)
    const begun = micros()
    let events = 0
    line.ask(requestBytes(ask, port), {
      onBytes(chunk) {
        events += countMarks(chunk)
      },
      onEnd() {
        line.close()
        resolve({ events, us: micros() - begun })
      },
      onFailure: reject,
    })
  })
}
