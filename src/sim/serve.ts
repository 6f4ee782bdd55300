import type { IncomingMessage, ServerResponse } from 'node:http'
import { RunletError } from '../core/error.ts'
import type { JsonValue } from '../core/json.ts'
import { type Answer, type Stage, answer, failed, failureOf, json } from './answer.ts'
import { apis } from './apis/index.ts'
import { ollamaChat } from './apis/ollama.ts'
import { openaiChat } from './apis/openai-chat.ts'
import { readJson } from './body.ts'
import { type CatalogueRoute, modelName } from './catalogue.ts'
import { type Faults, parseFaults } from './faults.ts'
import type { Ending, Journal, JournalEntry, SimRequest } from './journal.ts'
import { play } from './player.ts'
import { reelOf } from './reel.ts'
import type { Ticker } from './ticker.ts'

/** One running simulator. */
export interface House {
  /** True once it was told to close: connections that end from then on were not ended by clients. */
  closing: boolean
  readonly stage: Stage
  readonly lists: readonly CatalogueRoute[]
  readonly log: Journal
  readonly ticker: Ticker
  readonly onRequest: ((request: SimRequest, body: JsonValue | undefined) => void) | undefined
  readonly onEnd: ((request: SimRequest) => void) | undefined
}

/** Serves one request, and keeps its entry in the journal. Never rejects. */
export async function serve(house: House, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { log, ticker } = house
  const path = (req.url ?? '/').split('?', 1)[0]!
  const entry = log.open(req.method ?? '', path, ticker.now())
  const onEnd = (ending: Ending) => {
    entry.ending = ending === 'client_closed' && house.closing ? 'sim_closed' : ending
    entry.closedByClient = entry.ending === 'client_closed'
    entry.endedAt = ticker.now()
    house.onEnd?.(entry)
  }
  const onGone = () => onEnd('client_closed')
  res.once('close', onGone)

  const { status, headers, reel, faults } = await answerTo(house, req, entry)
  if (faults.stall === 'headers') return
  const send = () => {
    if (res.destroyed) return
    res.off('close', onGone)
    entry.status = status
    res.writeHead(status, { ...headers, 'x-request-id': `req_sim_${entry.id}` })
    res.flushHeaders()
    play(res, reel, { ticker, faults, onBytes: (count) => (entry.bytesSent += count), onEnd })
  }
  if (faults.slowHeaders) ticker.at(ticker.now() + faults.slowHeaders, send)
  else send()
}

async function answerTo(house: House, req: IncomingMessage, entry: JournalEntry): Promise<Answer> {
  const { method, path } = entry
  const api = method === 'POST' ? apis.find((row) => row.path === path) : undefined
  const list = house.lists.find((row) => row.path === path && row.method === method)
  try {
    const body = method === 'POST' ? await readJson(req) : undefined
    const model = modelName(body)
    if (model !== '') entry.model = model
    house.onRequest?.(entry, body)
    const header = String(req.headers['x-sim-fault'] ?? '')
    if (api) return await answer(house.stage, api, body ?? null, header)
    if (list) return listed(list, body, house.stage.counter.next(`header ${header}`, parseFaults(header)))
    const routes = [...apis.map((row) => `POST ${row.path}`), ...house.lists.map((row) => `${row.method} ${row.path}`)]
    throw new RunletError('not_found', {
      reason: 'route_unknown',
      message: `${method} ${path} is not served here; served are ${routes.join(', ')}`,
    })
  } catch (thrown) {
    return failed(api ?? list ?? (path.startsWith('/api/') ? ollamaChat : openaiChat), failureOf(thrown))
  }
}

function listed(list: CatalogueRoute, body: JsonValue | undefined, faults: Faults): Answer {
  if (faults.status !== undefined) {
    return failed(list, { status: faults.status, code: 'sim_status', message: 'as told by X-Sim-Fault' }, faults)
  }
  return json(200, reelOf('whole', [{ frame: JSON.stringify(list.answer(body)), at: 0 }]), faults)
}
