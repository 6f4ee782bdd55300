/** What the page of the client's tests runs: the client as anyone would use it, and what a test asks about afterwards. */
import { createClient, formatCursor, hubFromPort, outputText, parseCursor } from '../../src/client/client.ts'
import type { Transport } from '../../src/client/client.ts'

/** Where the server is, and how to read from it. */
export interface Reading {
  readonly url: string
  readonly run: string
  readonly transport: Transport
  readonly token?: string
  readonly accessToken?: string
}

/** What a tab with a shared hub has seen. */
export interface TabState {
  /** By run: the seq of each view. */
  readonly seqs: Record<string, number[]>
  readonly texts: Record<string, string>
  ended: number
}

const client = ({ url, token }: Reading) => createClient({ baseUrl: url, ...(token === undefined ? {} : { token }) })

/** What this tab kept over its reloads. */
const kept = () => ({
  cursor: sessionStorage.getItem('cursor'),
  seqs: JSON.parse(sessionStorage.getItem('seqs') ?? '[]') as number[],
  text: sessionStorage.getItem('text') ?? '',
})

/** Follows a run to its end, from where the visit before got to; the states that it went through. */
async function follow({ run, transport, accessToken, ...server }: Reading): Promise<string[]> {
  const { cursor } = kept()
  const following = client({ run, transport, ...server }).follow(run, {
    transport,
    ...(accessToken === undefined ? {} : { accessToken }),
    ...(cursor === null ? {} : { after: parseCursor(cursor) }),
  })
  const states: string[] = []
  following.subscribe(() => states.push(following.state.type))
  for await (const record of following.batches()) {
    if (record.type === 'gap') throw new Error('there is a gap')
    const before = kept()
    const said = record.entries.map(({ event }) => (event.type === 'text.delta' ? event.text : ''))
    sessionStorage.setItem('seqs', JSON.stringify([...before.seqs, ...record.entries.map(({ seq }) => seq)]))
    sessionStorage.setItem('text', before.text + said.join(''))
    sessionStorage.setItem('cursor', formatCursor({ epoch: record.epoch, seq: record.last }))
  }
  return states
}

/** What a following throws; undefined if it does not. */
async function refusal(reading: Reading): Promise<object | undefined> {
  const { run, transport, accessToken } = reading
  try {
    for await (const _ of client(reading).follow(run, {
      transport,
      ...(accessToken === undefined ? {} : { accessToken }),
    }));
    return undefined
  } catch (thrown) {
    const { code, reason, status } = thrown as Record<string, unknown>
    return { code, reason, status }
  }
}

const tab: TabState = { seqs: {}, texts: {}, ended: 0 }

/** Follows runs through the worker that all tabs share. */
function share(worker: string, runs: readonly string[]): void {
  const hub = hubFromPort(new SharedWorker(worker, { type: 'module' }).port)
  for (const run of runs) {
    const seqs: number[] = (tab.seqs[run] = [])
    void (async () => {
      for await (const view of hub.follow(run)) {
        seqs.push(view.seq)
        tab.texts[run] = outputText(view)
      }
      tab.ended++
    })()
  }
}

/** What a test finds in the page. */
export interface ClientPage {
  readonly kept: typeof kept
  readonly follow: typeof follow
  readonly refusal: typeof refusal
  readonly share: typeof share
  readonly tab: TabState
}

Object.assign(globalThis, { clientPage: { kept, follow, refusal, share, tab } satisfies ClientPage })
