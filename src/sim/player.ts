import type { ServerResponse } from 'node:http'
import type { Faults } from './faults.ts'
import type { Ending } from './journal.ts'
import type { Reel } from './reel.ts'
import type { Ticker } from './ticker.ts'

export interface PlayOptions {
  readonly ticker: Ticker
  readonly faults: Faults
  /** Told of every write. */
  readonly onBytes: (count: number) => void
  /** Told once, when the connection has nothing more to do with this answer. */
  readonly onEnd: (ending: Ending) => void
}

/** Largest write. */
const MAX_WRITE = 64 * 1024
/** A client on libuv that finds bytes and a reset in one poll reports a plain end: it must have read before. */
const RESET_AFTER_MS = 50

/**
 * Writes a reel to a response whose headers are out: each part when it is due, parts that are due together in one
 * write, and nothing more while the socket is full. What was missed meanwhile follows in bulk: the pace is a clock,
 * not a gap between tokens.
 */
export function play(res: ServerResponse, reel: Reel, { ticker, faults, onBytes, onEnd }: PlayOptions): void {
  const { stop, act } = stopping(reel, faults)
  const started = ticker.now()
  const largest = Math.min(faults.drip ?? MAX_WRITE, MAX_WRITE)
  const dripMs = faults.drip === undefined ? 0 : (faults.every ?? 1)
  let sent = 0
  let part = 0
  let ended: Ending | undefined

  const goOn = () => {
    while (!res.destroyed) {
      if (sent === stop) return finish()
      const ready = readyBytes(ticker.now() - started)
      if (ready === sent) return ticker.at(started + reel.due![part]!, goOn)
      const slice = reel.bytes.subarray(sent, Math.min(ready, sent + largest))
      sent += slice.length
      onBytes(slice.length)
      const rest = dripMs > 0 && sent < stop ? () => ticker.at(ticker.now() + dripMs, goOn) : goOn
      if (!res.write(slice)) return void res.once('drain', rest)
      if (rest !== goOn) return rest()
    }
  }

  const readyBytes = (elapsed: number) => {
    if (!reel.due) return stop
    while (part < reel.ends.length && reel.due[part]! <= elapsed) part++
    return Math.min(stop, reel.ends[part - 1] ?? 0)
  }

  const finish = () => {
    if (act === 'stall') return
    if (act === 'end') {
      ended = stop < reel.bytes.length ? 'fault' : 'complete'
      res.end()
      return
    }
    ended = 'fault'
    const { socket } = res
    if (act === 'cut') socket?.destroySoon()
    else {
      // The turn of the loop lets a client in this very process read, however late the timer is.
      const reset = () => void setImmediate(() => socket?.resetAndDestroy())
      // The empty write comes back once everything before it is with the kernel: a reset throws away what is not.
      socket?.write('', () => ticker.at(ticker.now() + RESET_AFTER_MS, reset))
    }
  }

  res.once('close', () => {
    // An answer that ended, but not all of which was taken, was given up by the client.
    const given = ended !== undefined && (act !== 'end' || res.writableFinished)
    onEnd(given ? ended! : 'client_closed')
  })
  goOn()
}

function stopping(reel: Reel, faults: Faults): { stop: number; act: 'end' | 'cut' | 'rst' | 'stall' } {
  const { length } = reel.bytes
  const cut = faults.cut ?? (faults.rst ? 0 : undefined)
  if (cut !== undefined && cut <= length) return { stop: cut, act: faults.rst ? 'rst' : 'cut' }
  if (typeof faults.stall === 'number' && faults.stall <= length) return { stop: faults.stall, act: 'stall' }
  return { stop: Math.min(length, faults.end ?? length), act: 'end' }
}
