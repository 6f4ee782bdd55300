/**
 * The model: a process that plays answers as fast as the socket takes them, or at a pace. It speaks HTTP by hand, so
 * that it costs as little as can be: the machine's cores are shared with the server that is being measured.
 *
 * `POST /flood/N/…` is an answer of N tokens at once; `POST /paced/R/…` an answer without an end at R tokens a second,
 * each token stamped with the time of its write (`mark.ts`).
 */
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { answer } from '../child.ts'
import { micros } from '../clock.ts'
import { stampText } from '../mark.ts'
import { answerFrames, frames, type Frames } from './body.ts'

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n'

const floods = new Map<number, Buffer>()
/** By their period, in the order in which their next tokens are due. */
const paced = new Map<number, Set<PacedStream>>()

interface PacedStream {
  readonly socket: Socket
  readonly make: Frames
  readonly periodUs: number
  dueUs: number
}

const server = createServer({ noDelay: true }, (socket) => {
  let received = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    const request = completeRequest(received)
    if (!request) return
    received = received.slice(request.length)
    play(socket, request.path)
  })
})

/** A request whose body has come, whichever way its length is told. */
function completeRequest(received: string): { readonly path: string; readonly length: number } | undefined {
  const head = received.indexOf('\r\n\r\n') + 4
  if (head === 3) return undefined
  const path = received.slice(received.indexOf(' ') + 1, received.indexOf(' HTTP/'))
  const declared = /\r\ncontent-length: *(\d+)/i.exec(received.slice(0, head))
  if (!declared && /\r\ntransfer-encoding:/i.test(received.slice(0, head))) {
    const end = received.indexOf('0\r\n\r\n', head)
    return end < 0 ? undefined : { path, length: end + 5 }
  }
  const length = head + Number(declared?.[1] ?? 0)
  return received.length < length ? undefined : { path, length }
}

function play(socket: Socket, path: string): void {
  const [, kind, amount] = path.split('/')
  if (kind === 'flood') {
    socket.write(flood(Number(amount)))
  } else if (kind === 'paced') {
    const make = frames()
    const periodUs = 1e6 / Number(amount)
    const stream = { socket, make, periodUs, dueUs: micros() + periodUs }
    socket.write(HEAD + httpChunk(make.opening), 'latin1')
    const streams = paced.get(periodUs) ?? new Set()
    paced.set(periodUs, streams.add(stream))
    socket.on('close', () => streams.delete(stream))
  } else {
    socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
  }
}

/** One HTTP chunk per event: what a server makes that writes each token when it has it. */
function flood(tokens: number): Buffer {
  let bytes = floods.get(tokens)
  if (!bytes) {
    bytes = Buffer.from(`${HEAD}${answerFrames(tokens).map(httpChunk).join('')}0\r\n\r\n`)
    floods.set(tokens, bytes)
  }
  return bytes
}

const httpChunk = (frame: string) => `${Buffer.byteLength(frame).toString(16)}\r\n${frame}\r\n`

/** Shortest sleep, so that many runs do not mean a wake-up for each token. Milliseconds. */
const SLEEP_MS = 0.1
const nobody = new Int32Array(new SharedArrayBuffer(4))

/**
 * Writes each token when it is due: a late turn makes it late, none is dropped. Timers have whole milliseconds, in
 * which tokens of different runs would leave together and wait for each other in the relay; so the thread sleeps.
 */
function turn(): void {
  let next = Infinity
  for (const streams of paced.values()) {
    const now = micros()
    for (const stream of streams) {
      if (stream.dueUs > now) {
        next = Math.min(next, stream.dueUs - now)
        break
      }
      stream.dueUs += stream.periodUs
      // Back to the end of the line, which is in the order of what is due.
      streams.delete(stream)
      streams.add(stream)
      stream.socket.write(httpChunk(stream.make.token(stampText(micros()))), 'latin1')
    }
  }
  if (next === Infinity) {
    setTimeout(turn, 1)
    return
  }
  Atomics.wait(nobody, 0, 0, Math.min(1, Math.max(SLEEP_MS, next / 1000)))
  setImmediate(turn)
}

const procedures = {
  /** Resolves with the port. */
  start(): Promise<number> {
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
        turn()
        resolve((server.address() as AddressInfo).port)
      })
    })
  },
}
export type SourceProcedures = typeof procedures

answer(procedures)
