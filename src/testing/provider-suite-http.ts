/** The cases of the provider suite that need a server: statuses, aborts, connections. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import type { RunletError } from '../core/error.ts'
import type { ModelRequest, Provider, ProviderEvent } from '../core/provider.ts'
import { chunked, decodeAll, type Decoded } from './every-split.ts'
import { loopback, type Loopback } from './loopback.ts'
import { asRunletError, holdOrder, sumOf } from './provider-suite-checks.ts'
import type { ExpectedAnswer, ProviderSuite, RecordedRefusal, Recording, SuiteCase } from './provider-suite.ts'

const request: ModelRequest = {
  model: 'suite-model',
  messages: [{ role: 'user', content: 'Hello' }],
  tools: [],
  options: {},
}

/** Runs a case against a server of its own. */
function served(
  name: string,
  handler: Parameters<typeof loopback>[0],
  run: (server: Loopback) => Promise<void>,
): SuiteCase {
  return {
    name,
    async run() {
      const server = await loopback(handler)
      try {
        await run(server)
      } finally {
        await server.close()
      }
    },
  }
}

/** Everything that a call says, and what it threw, array by array. */
async function heard(provider: Provider, signal: AbortSignal = new AbortController().signal) {
  const out: ProviderEvent[] = []
  try {
    for await (const events of provider.stream(request, { signal })) {
      assert.notEqual(events.length, 0, 'an array of events is never empty')
      out.push(...events)
    }
    return { out }
  } catch (fault) {
    return { out, fault }
  }
}

export function overHttp({ make, decoder }: ProviderSuite, recording: Recording): SuiteCase {
  const { name, bytes, mediaType } = recording
  return served(
    `${name}: says the same over HTTP`,
    async (_, response) => {
      response.writeHead(200, { 'content-type': mediaType })
      for (const chunk of chunked(bytes, Math.max(100, Math.ceil(bytes.length / 20)))) await written(response, chunk)
      response.end()
    },
    async (server) => {
      const direct = decodeAll(decoder(mediaType), [bytes])
      assert.deepEqual(withoutModel(await heard(make(server.url))), withoutModel(direct))
    },
  )
}

/** The decoder does not know which model was asked for, and says its own where the server names none. */
function withoutModel({ out, fault }: Decoded<ProviderEvent>): unknown {
  const known = out.map((event) => (event.type === 'start' ? { type: 'start' } : event))
  return fault === undefined
    ? { known }
    : { known, code: asRunletError(fault).code, reason: asRunletError(fault).reason }
}

/** Lets the event loop, which both sides share, go round. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

/** Writes and lets the bytes leave, so that the client sees them as a chunk of their own, mostly. */
function written(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => response.write(bytes, () => setImmediate(resolve)))
}

export function refusalCase({ make }: ProviderSuite, refusal: RecordedRefusal): SuiteCase {
  const { status, body, headers = {}, ...expected } = refusal
  return served(
    `status ${status} with ${body.slice(0, 60) || 'no body'} is ${refusal.code}`,
    (_, response) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
    },
    async (server) => {
      const { out, fault } = await heard(make(server.url))
      assert.deepEqual(out, [])
      const error = asRunletError(fault)
      for (const [member, value] of Object.entries(expected)) {
        assert.deepEqual(error[member as keyof RunletError], value, member)
      }
      assert(!containsWords(error.message, body), 'what the provider said does not stand in the message')
    },
  )
}

/** Whether a message repeats a row of the provider's own words. */
function containsWords(message: string, body: string): boolean {
  const words = body.match(/[\p{L}']+/gu) ?? []
  return words.some((_, i) => i + 5 <= words.length && message.includes(words.slice(i, i + 5).join(' ')))
}

export function connectionCases({ make, recordings, models }: ProviderSuite): SuiteCase[] {
  const spoken = recordings.find(({ expected }) => !('code' in expected) && expected.text.length >= 10)
  assert(spoken, 'the suite needs a recording of an answer with some text')
  const { bytes, mediaType } = spoken
  const opening = bytes.subarray(0, Math.ceil(bytes.length / 2))
  /** Sends half an answer, and leaves it at that. */
  const half: Parameters<typeof loopback>[0] = async (_, response) => {
    response.writeHead(200, { 'content-type': mediaType })
    await written(response, opening)
  }
  const answers: Parameters<typeof loopback>[0] = (_, response) => {
    response.writeHead(200, { 'content-type': mediaType }).end(bytes)
  }

  return [
    served('a call that is aborted before it begins asks nobody', answers, async (server) => {
      const { out, fault } = await heard(make(server.url), AbortSignal.abort(new Error('off')))
      assert.deepEqual([out, (fault as Error).message, server.requests.length], [[], 'off', 0])
    }),
    served(
      'an abort before the headers throws its reason and closes the connection',
      () => {},
      async (server) => {
        const abort = new AbortController()
        const ended = heard(make(server.url), abort.signal)
        await server.asked()
        abort.abort(new Error('off'))
        const { out, fault } = await ended
        assert.deepEqual([out, (fault as Error).message], [[], 'off'])
        await server.hungUp()
      },
    ),
    served('an abort in the middle throws its reason and closes the connection', half, async (server) => {
      const abort = new AbortController()
      const iterator = make(server.url).stream(request, { signal: abort.signal })[Symbol.asyncIterator]()
      assert.equal((await iterator.next()).done, false)
      const next = drained(iterator)
      abort.abort(new Error('off'))
      await assert.rejects(next, /off/)
      await server.hungUp()
    }),
    served('a consumer that stops closes the connection', half, async (server) => {
      for await (const events of make(server.url).stream(request, { signal: new AbortController().signal })) {
        assert.equal(events[0]?.type, 'start')
        break
      }
      await server.hungUp()
    }),
    ...(['end', 'destroy'] as const).map((how) =>
      served(
        `an answer that the server ${how === 'end' ? 'ends' : 'breaks off'} in the middle is an error`,
        async (sent, response) => {
          await half(sent, response)
          response[how]()
        },
        async (server) => {
          const { out, fault } = await heard(make(server.url))
          holdOrder(out, false)
          assert.deepEqual(
            [asRunletError(fault).code, asRunletError(fault).reason],
            ['network', 'stream_eof_before_done'],
          )
        },
      ),
    ),
    served(
      'an answer that is over leaves its connection for the next call',
      async (_, response) => {
        response.writeHead(200, { 'content-type': mediaType })
        await written(response, bytes)
        // The end of the body comes well behind the end mark, and is no part of the answer.
        await turns(20)
        response.end()
      },
      async (server) => {
        const provider = make(server.url)
        for (let i = 0; i < 3; i++) {
          assert.equal((await heard(provider)).fault, undefined)
          await turns(60)
        }
        assert.deepEqual([server.requests.length, server.connections], [3, 1])
      },
    ),
    served('calls at the same time do not mix', answers, async (server) => {
      const provider = make(server.url)
      const sums = await Promise.all(Array.from({ length: 20 }, async () => sumOf((await heard(provider)).out)))
      for (const sum of sums) assert.deepEqual(sum, sums[0])
      assert.equal(sums[0]?.text, (spoken.expected as ExpectedAnswer).text)
    }),
    {
      name: 'a redirect is not followed: what belongs to one server goes to no other',
      async run() {
        const elsewhere = await loopback(answers)
        const server = await loopback((_, response) => {
          response.writeHead(307, { location: elsewhere.url }).end()
        })
        const { fault } = await heard(make(server.url))
        assert.equal(asRunletError(fault).reason, 'redirected')
        assert.equal(elsewhere.requests.length, 0)
        await Promise.all([server.close(), elsewhere.close()])
      },
    },
    {
      name: 'a server that does not run is an error that says so',
      async run() {
        const server = await loopback(answers)
        await server.close()
        const { out, fault } = await heard(make(server.url))
        const { code, reason, temporary } = asRunletError(fault)
        assert.deepEqual([out, code, reason, temporary], [[], 'network', 'connection_refused', true])
      },
    },
    served(
      'the list of models is what the server tells',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(models.body)
      },
      async (server) => {
        const { signal } = new AbortController()
        assert.deepEqual(await make(server.url).models({ signal }), models.expected)
      },
    ),
  ]
}

async function drained(iterator: AsyncIterator<unknown>): Promise<void> {
  while (!(await iterator.next()).done);
}
