import { describe, expect, test } from 'vitest'
import { scriptedProvider, usage, cutOff, type Script, type ScriptLine } from '../../src/testing/scripted-provider.ts'
import { memoryLedger, type Ledger } from '../../src/wrappers/budget/ledger.ts'
import { spentFor, priceOf } from '../../src/wrappers/budget/money.ts'
import { budgeted, type BudgetOptions } from '../../src/wrappers/budgeted.ts'
import { caller, done, heard, start, text } from './lab.ts'

const over = 'forbidden budget_exceeded'
/** An answer of so many tokens, question included. */
const answer = (tokens: number): Script => [
  [start, text('Hi')],
  [{ type: 'done', reason: 'stop', usage: usage(2, tokens - 2) }],
]

function stage(options: BudgetOptions, scripts: readonly Script[]) {
  const provider = scriptedProvider(scripts)
  const wrapped = budgeted(options)(provider)
  const ask = async (session = 's', run = 'r') => (await heard(wrapped, {}, { caller: caller(session, run) })).error
  return { provider, wrapped, ask }
}

describe('budgeted', () => {
  test('counts what the provider counts, per run, and refuses the next call before it is asked', async () => {
    const { provider, ask } = stage({ run: { tokens: 100 } }, [answer(60), answer(40)])
    expect([await ask(), await ask(), await ask(), await ask('s', 'another')]).toEqual([
      undefined,
      undefined,
      over,
      undefined,
    ])
    expect(provider.requests.length).toBe(3)
  })

  test('counts per session, over its runs', async () => {
    const { ask } = stage({ session: { tokens: 100 } }, [answer(60)])
    expect([await ask('s', '1'), await ask('s', '2'), await ask('s', '3'), await ask('t', '1')]).toEqual([
      undefined,
      // The question fits; the answer is complete, and paid, before its count is known.
      undefined,
      over,
      undefined,
    ])
  })

  test('counts money by the prices of the model', async () => {
    const prices = { scripted: { input: 1_000_000, output: 2_000_000 } }
    // 2 in and 8 out cost 18.
    const { ask } = stage({ session: { cost: 30 }, prices }, [answer(10)])
    expect([await ask(), await ask(), await ask()]).toEqual([undefined, undefined, over])
  })

  test('refuses a model without a price when there is a budget in money', async () => {
    const { provider, ask } = stage({ run: { cost: 1 }, prices: { other: { input: 1, output: 1 } } }, [answer(10)])
    expect(await ask()).toBe('forbidden price_unknown')
    expect(provider.requests).toEqual([])
    expect(
      await stage({ run: { cost: 1 }, prices: { '*': { input: 0, output: 0 } } }, [answer(10)]).ask(),
    ).toBeUndefined()
  })

  test('refuses a question that alone is over', async () => {
    const { provider, wrapped } = stage({ run: { tokens: 100 } }, [answer(10)])
    const { error } = await heard(wrapped, { messages: [{ role: 'user', content: 'x'.repeat(401) }] })
    expect([error, provider.requests]).toEqual([over, []])
  })

  test('stops an answer in the middle, as soon as it is over, and closes the stream', async () => {
    const pieces = Array.from({ length: 50 }, (): ScriptLine => [text('four tokens, 16.')])
    const { provider, wrapped, ask } = stage({ run: { tokens: 20 } }, [[[start], ...pieces, [done]]])
    // The question is 2 tokens, each piece 4: the fifth is too much.
    const { events, error } = await heard(wrapped, {}, { caller: caller('s', 'r') })
    expect([events.length, error, provider.active]).toEqual([6, over, 0])
    expect([await ask(), provider.requests.length]).toEqual([over, 1])
  })

  test('counts reasoning and calls while they stream, and a call that came in pieces once', async () => {
    const call = { call_id: 'c', name: 'n' }
    const script: Script = [
      [start, { type: 'reasoning', text: 'x'.repeat(40) }],
      [{ type: 'tool_call_delta', ...call, json: `{"x":"${'y'.repeat(40)}"}` }],
      [{ type: 'tool_call', ...call, input: { x: 'y'.repeat(40) } }],
      { throw: cutOff() },
    ]
    const added: number[] = []
    const ledger: Ledger = { ...memoryLedger(), add: (_, { tokens }) => void added.push(tokens) }
    await stage({ run: { tokens: 1000 }, ledger }, [script]).ask()
    expect(added).toEqual([2 + Math.ceil((40 + 48) / 4)])
  })

  test('counts an answer that breaks off, is aborted or left, as far as it came', async () => {
    const abort = new AbortController()
    const broken: Script = [[start, text('x'.repeat(80))], { throw: cutOff() }]
    const stuck: Script = [[start, text('x'.repeat(80))], { wait: new Promise(() => {}) }]
    const added: number[] = []
    const ledger: Ledger = { ...memoryLedger(), add: (_, { tokens }) => void added.push(tokens) }
    const { ask, wrapped } = stage({ run: { tokens: 1000 }, ledger }, [broken, stuck, stuck])
    await ask()
    setImmediate(() => abort.abort(new Error('off')))
    await heard(wrapped, {}, { signal: abort.signal })
    for await (const events of wrapped.stream(
      { model: '', messages: [], tools: [], options: {} },
      { signal: new AbortController().signal },
    )) {
      expect(events.length).toBe(2)
      break
    }
    expect(added).toEqual([22, 22, 20])
  })

  test('counts nothing where the provider did not take the question', async () => {
    const { ask } = stage({ run: { tokens: 5 } }, [[{ throw: cutOff() }], answer(4)])
    expect([await ask(), await ask()]).toEqual(['network stream_eof_before_done', undefined])
  })

  test('stops all calls of a session that are over together', async () => {
    const pieces: Script = [[start], ...Array.from({ length: 20 }, (): ScriptLine => [text('x'.repeat(40))]), [done]]
    const { provider, wrapped } = stage({ session: { tokens: 100 } }, [pieces])
    const results = await Promise.all(['1', '2'].map((run) => heard(wrapped, {}, { caller: caller('s', run) })))
    const tokens = results.map(({ events }) => events.filter(({ type }) => type === 'text').length * 10)
    expect(results.map(({ error }) => error)).toEqual([over, over])
    expect(tokens[0]! + tokens[1]!).toBeLessThanOrEqual(110)
    expect(provider.active).toBe(0)
  })

  test('shares its totals among all providers that it is put around, each with its own prices', async () => {
    const within = budgeted({ session: { cost: 100 }, prices: { '*': { input: 0, output: 10_000_000 } } })
    const dear = within(scriptedProvider([answer(8)]))
    const cheap = within(scriptedProvider([answer(8)]), { prices: { '*': { input: 0, output: 1 } } })
    const ask = async (one: typeof dear) => (await heard(one, {}, { caller: caller('s') })).error
    expect([await ask(dear), await ask(cheap), await ask(dear), await ask(cheap)]).toEqual([
      undefined,
      undefined,
      undefined,
      over,
    ])
  })

  test('takes calls without a caller for runs of their own in one session', async () => {
    const { wrapped } = stage({ run: { tokens: 10 }, session: { tokens: 25 } }, [answer(10)])
    const ask = async () => (await heard(wrapped)).error
    expect([await ask(), await ask(), await ask(), await ask()]).toEqual([undefined, undefined, undefined, over])
  })

  test('keeps to a ledger that it is given, and does not answer without it', async () => {
    const asked: unknown[] = []
    const ledger: Ledger = {
      read: async (account) => {
        asked.push(account)
        return { tokens: 95, cost: 0 }
      },
      add: async () => {},
    }
    expect(await stage({ session: { tokens: 96 }, ledger }, [answer(10)]).ask()).toBe(over)
    expect(asked).toEqual([{ scope: 'session', id: 's' }])
    const broken: Ledger = { read: () => Promise.reject(new Error('disk')), add: () => {} }
    const { provider, ask } = stage({ session: { tokens: 96 }, ledger: broken }, [answer(10)])
    expect([await ask(), await ask(), provider.requests]).toEqual([
      'internal ledger_failed',
      'internal ledger_failed',
      [],
    ])
    const deaf: Ledger = { ...memoryLedger(), add: () => Promise.reject(new Error('disk')) }
    expect(await stage({ session: { tokens: 96 }, ledger: deaf }, [answer(10)]).ask()).toBe('internal ledger_failed')
  })

  test('says which budget it is, and what to do', async () => {
    const { wrapped } = stage({ session: { tokens: 20 } }, [answer(19)])
    await heard(wrapped, {}, { caller: caller('s') })
    const next = wrapped.stream(
      { model: '', messages: [], tools: [], options: {} },
      { signal: new AbortController().signal, caller: caller('s') },
    )
    const result = next[Symbol.asyncIterator]().next()
    await expect(result).resolves.toMatchObject({ done: false })
    const { wrapped: spent } = stage({ session: { tokens: 20 } }, [answer(30)])
    await heard(spent, {}, { caller: caller('s') })
    const refused = spent.stream(
      { model: '', messages: [], tools: [], options: {} },
      { signal: new AbortController().signal, caller: caller('s') },
    )
    await expect(refused[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      message: 'the budget of this session is used up (30 of 20 tokens); go on in another session, or raise the budget',
      temporary: false,
      provider: 'scripted',
    })
  })
})

test('a memory ledger forgets the account that was longest not used', async () => {
  const ledger = memoryLedger({ maxAccounts: 2 })
  const of = (id: string) => ({ scope: 'run', id }) as const
  for (const id of ['a', 'b', 'a', 'c']) await ledger.add(of(id), { tokens: 1, cost: 0.5 })
  expect(['a', 'b', 'c'].map((id) => ledger.read(of(id)))).toEqual([
    { tokens: 2, cost: 1 },
    { tokens: 0, cost: 0 },
    { tokens: 1, cost: 0.5 },
  ])
})

test('a price is per million tokens, and cached input may have its own', () => {
  const used = { ...usage(1000, 500), cached_tokens: 400 }
  expect(spentFor(used, { input: 2, output: 8 })).toEqual({ tokens: 1500, cost: 0.006 })
  expect(spentFor(used, { input: 2, output: 8, cachedInput: 0.5 }).cost).toBeCloseTo(
    (600 * 2 + 400 * 0.5 + 500 * 8) / 1e6,
    12,
  )
  expect(spentFor(used, undefined)).toEqual({ tokens: 1500, cost: 0 })
  const prices = { a: { input: 1, output: 1 }, '*': { input: 2, output: 2 } }
  expect([priceOf('a', prices)?.input, priceOf('toString', prices)?.input, priceOf('b', { a: prices.a })]).toEqual([
    1,
    2,
    undefined,
  ])
})
