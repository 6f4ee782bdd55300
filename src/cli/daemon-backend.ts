import type { Places } from '../config/places.ts'
import { follow } from '../client/follow.ts'
import type { StartBody } from '../client/http.ts'
import { httpClient } from '../client/http.ts'
import { tokenFile } from '../servers/http/token.ts'
import type { AskRequest, Backend } from './backend.ts'
import type { DaemonRecord } from './daemon.ts'
import { complain } from './report.ts'

/** How long a daemon may take to say that it is there. Milliseconds. */
const PROBE_MS = 2_000

/** A running daemon; undefined if the process that the file names does not answer, and so is not one any more. */
export async function daemonBackend(daemon: DaemonRecord, places: Places): Promise<Backend | undefined> {
  const client = httpClient({ baseUrl: daemon.url, token: await tokenFile(places.token) })
  try {
    await client.health({ signal: AbortSignal.timeout(PROBE_MS) })
  } catch {
    return undefined
  }
  return {
    daemon,
    start: (request) => client.start(bodyOf(request)),
    read: (run, options) =>
      follow((connection) => client.events(run, connection), {
        ...options,
        onRetry: ({ error, waitMs }) => {
          if (waitMs > 0) complain(`${error.message}; trying again`)
        },
      }),
    find: (run) => client.find(run),
    cancel: (run, options) => client.cancel(run, options),
    list: (query) => client.list(query),
    close: async () => {},
  }
}

function bodyOf({ sessionId, ...same }: AskRequest): StartBody {
  return { ...same, ...(sessionId === undefined ? {} : { session_id: sessionId }) }
}
