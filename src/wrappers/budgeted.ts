import { RunletError } from '../core/error.ts'
import { estimateTokens } from '../core/message.ts'
import { checkOptions } from '../core/options.ts'
import type { Caller, ModelRequest, Provider } from '../core/provider.ts'
import { memoryLedger, type Ledger } from './budget/ledger.ts'
import { priceOf, spentFor, type Price, type Prices, type Spent } from './budget/money.ts'
import { openTabs, type Amount, type Limited, type Overrun } from './budget/tabs.ts'
import { meter, toolTokens } from './meter.ts'
import { withStream } from './wrapper.ts'

export interface BudgetOptions {
  /** What one run may spend, all its steps and attempts together. */
  readonly run?: Amount
  /** What all runs of one session may spend. */
  readonly session?: Amount
  /** Needed for limits of cost: a model without a price is then refused. Default none. */
  readonly prices?: Prices
  /** Where totals are kept. Default: in memory, of the last 10,000 runs and sessions; a restart forgets them. */
  readonly ledger?: Ledger
}

/** A wrapper that can be given the prices of the provider that it is put around. */
export type BudgetWrapper = (provider: Provider, options?: { readonly prices?: Prices }) => Provider

/**
 * Stops a call that takes its run or session over the budget: before it is asked where the question alone would, and in
 * mid-answer as soon as what came is estimated to. Throws `forbidden` with reason `budget_exceeded`, or `price_unknown`.
 *
 * Spending is what the provider counts, and four characters a token until it did. All providers that the same wrapper is
 * put around share its totals. A call without `CallOptions.caller` is a run of its own, in a session of all such calls.
 */
export function budgeted(options: BudgetOptions): BudgetWrapper {
  checkOptions('budgeted', options, { run: true, session: true, prices: true, ledger: true })
  const { run, session, prices = {}, ledger = memoryLedger() } = options
  for (const [name, amount] of Object.entries({ run, session })) {
    checkOptions(`the ${name} of budgeted`, amount ?? {}, { tokens: true, cost: true })
  }
  const tabs = openTabs(ledger)
  const needsPrice = run?.cost !== undefined || session?.cost !== undefined
  let calls = 0

  function accountsOf(caller: Caller | undefined): Limited[] {
    const runId = caller?.runId ?? `call ${++calls}`
    return [
      ...(run ? [{ account: { scope: 'run', id: runId }, limit: run } as const] : []),
      ...(session ? [{ account: { scope: 'session', id: caller?.sessionId ?? '' }, limit: session } as const] : []),
    ]
  }

  return (provider, own = {}) =>
    withStream(provider, async function* (request, call) {
      call.signal.throwIfAborted()
      const price = priceOf(request.model, own.prices ?? prices)
      if (needsPrice && !price) throw priceUnknown(provider, request.model)
      const bill = await tabs.open(accountsOf(call.caller))
      try {
        const refused = bill.exceeded(questionOf(request, price))
        if (refused) throw exceeded(provider, refused)
        const metered = meter(request)
        for await (const events of provider.stream(request, call)) {
          for (const event of events) metered.add(event)
          bill.set(spentFor(metered.usage(), price))
          // Booked before anyone knows that it is over: whoever asks next finds it.
          const done = events.at(-1)?.type === 'done'
          if (done) await bill.close()
          yield events
          const over = done ? undefined : bill.exceeded()
          if (over) throw exceeded(provider, over)
        }
      } finally {
        // Whatever ended the call is the news, not that it could not be booked.
        await bill.close().catch(() => {})
      }
    })
}

/** What it costs to ask, whatever the answer will be. */
function questionOf({ messages, tools }: ModelRequest, price: Price | undefined): Spent {
  const input_tokens = estimateTokens(messages) + toolTokens(tools)
  return spentFor({ input_tokens, output_tokens: 0, total_tokens: input_tokens, accuracy: 'estimated' }, price)
}

function exceeded({ api }: Provider, { account, limit, kind, spent }: Overrun): RunletError {
  const { scope } = account
  const figures =
    kind === 'tokens' ? `${spent.tokens} of ${limit.tokens} tokens` : `${spent.cost.toFixed(4)} of ${limit.cost}`
  const remedy = scope === 'run' ? 'ask for less' : 'go on in another session'
  return new RunletError('forbidden', {
    reason: 'budget_exceeded',
    message: `the budget of this ${scope} is used up (${figures}); ${remedy}, or raise the budget`,
    provider: api,
  })
}

const priceUnknown = ({ api }: Provider, model: string) =>
  new RunletError('forbidden', {
    reason: 'price_unknown',
    message: `there is a budget in money, and no price for the model ${model}; add it to the prices ("*" stands for all others)`,
    provider: api,
  })
