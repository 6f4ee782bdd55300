/** Runs and sessions as people name them: the whole id, its unique beginning or ending, or `last`. */
import { RunletError, isRunletError } from '../core/error.ts'
import type { RunHeader } from '../core/log.ts'
import type { Backend } from './backend.ts'

/** How many of the newest runs an abbreviation is looked up in. */
const LOOKED_AT = 1_000

const isWhole = (id: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)

/** Throws `not_found` (`run_unknown`) and `invalid_request` (`run_ambiguous`). */
export async function resolveRun(backend: Backend, name: string): Promise<string> {
  if (isWhole(name)) return known(backend, name)
  return pick(name, 'run', (await backend.list({ limit: name === 'last' ? 1 : LOOKED_AT })).map(idOfRun))
}

/** The same for sessions; `last` is the one of the newest run. */
export async function resolveSession(backend: Backend, name: string): Promise<string> {
  if (isWhole(name)) return name
  const runs = await backend.list({ limit: name === 'last' ? 1 : LOOKED_AT })
  return pick(name, 'session', [...new Set(runs.map(({ session_id }) => session_id))])
}

async function known(backend: Backend, run: string): Promise<string> {
  try {
    return (await backend.find(run)).run_id
  } catch (error) {
    throw isRunletError(error) && error.reason === 'run_unknown' ? unknown('run', run) : error
  }
}

const idOfRun = ({ run_id }: RunHeader) => run_id

/** `ids` are newest first. */
function pick(name: string, kind: 'run' | 'session', ids: readonly string[]): string {
  const found = name === 'last' ? ids.slice(0, 1) : ids.filter((id) => id.startsWith(name) || id.endsWith(name))
  if (found.length === 1) return found[0]!
  if (found.length === 0) throw unknown(kind, name, ids.length === 0)
  throw new RunletError('invalid_request', {
    reason: `${kind}_ambiguous`,
    message: `"${name}" fits ${found.length} ${kind}s; give more of the id, for example ${found[0]}`,
  })
}

function unknown(kind: 'run' | 'session', name: string, none = false): RunletError {
  return new RunletError('not_found', {
    reason: `${kind}_unknown`,
    message: none
      ? `there are no runs yet; start one with: runlet ask "…"`
      : `there is no ${kind} "${name}"; "runlet runs" lists those there are`,
  })
}
