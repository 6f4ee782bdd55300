/** How an answer ended: whole, as a fault wanted it, or because the client, or the simulator itself, went away. */
export type Ending = 'complete' | 'fault' | 'client_closed' | 'sim_closed'

/** One request, as the simulator saw it. It changes until `endedAt` is there. */
export interface SimRequest {
  /** 1, 2, 3 … in order of arrival. */
  readonly id: number
  readonly method: string
  readonly path: string
  /** As it was asked for, faults included; undefined if the request names none. */
  readonly model?: string
  /** Unix time in milliseconds. */
  readonly startedAt: number
  /** Absent until the headers were sent. */
  readonly status?: number
  /** Bytes of the body handed to the socket, without the chunk framing of HTTP. */
  readonly bytesSent: number
  readonly closedByClient: boolean
  readonly ending?: Ending
  readonly endedAt?: number
}

export type JournalEntry = { -readonly [K in keyof SimRequest]: SimRequest[K] }

export interface Journal {
  /** Oldest first; only the last thousand are kept. */
  readonly requests: readonly SimRequest[]
  open(method: string, path: string, now: number): JournalEntry
}

const MAX_REQUESTS = 1000

export function journal(): Journal {
  const requests: JournalEntry[] = []
  let count = 0
  return {
    requests,
    open(method, path, now) {
      const entry: JournalEntry = { id: ++count, method, path, startedAt: now, bytesSent: 0, closedByClient: false }
      requests.push(entry)
      if (requests.length > MAX_REQUESTS) requests.shift()
      return entry
    },
  }
}
