import { RunletError } from '../../core/error.ts'
import type { Account, Ledger } from './ledger.ts'
import type { Spent } from './money.ts'

/** The most that may be spent; what is absent is not limited. */
export interface Amount {
  readonly tokens?: number
  /** In the currency of the prices. */
  readonly cost?: number
}

/** An account with its limit. */
export interface Limited {
  readonly account: Account
  readonly limit: Amount
}

/** Running totals of the accounts that calls are using at the moment; the ledger has the rest. */
export interface Tabs {
  /** Opens a call. Throws `internal` with reason `ledger_failed` where the ledger cannot be read. */
  open(accounts: readonly Limited[]): Promise<Bill>
}

/** What one call adds to its accounts, beside all other calls that use them. */
export interface Bill {
  /** The first account that `more` would take over its limit. */
  exceeded(more?: Spent): Overrun | undefined
  /** The call came to so much by now. */
  set(spent: Spent): void
  /** Hands the sum to the ledger; later calls do nothing. Throws `internal` with reason `ledger_failed`. */
  close(): Promise<void>
}

/** Which limit is passed, and by how much. */
export interface Overrun extends Limited {
  readonly kind: 'tokens' | 'cost'
  readonly spent: Spent
}

interface Tab {
  tokens: number
  cost: number
  calls: number
  readonly ready: Promise<void>
}

export function openTabs(ledger: Ledger): Tabs {
  const tabs = new Map<string, Tab>()

  function take({ scope, id }: Account): Tab {
    const key = `${scope} ${id}`
    let tab = tabs.get(key)
    if (!tab) {
      const load = async () => {
        const { tokens, cost } = await ledger.read({ scope, id })
        made.tokens += tokens
        made.cost += cost
      }
      const made: Tab = { tokens: 0, cost: 0, calls: 0, ready: Promise.resolve().then(load) }
      tabs.set(key, (tab = made))
    }
    tab.calls++
    return tab
  }

  function leave({ scope, id }: Account, tab: Tab): void {
    tab.calls--
    if (tab.calls === 0) tabs.delete(`${scope} ${id}`)
  }

  return {
    async open(accounts) {
      const taken = accounts.map((limited) => ({ ...limited, tab: take(limited.account) }))
      try {
        await Promise.all(taken.map(({ tab }) => tab.ready))
      } catch (cause) {
        for (const { account, tab } of taken) leave(account, tab)
        throw ledgerFailed(cause)
      }
      let own: Spent = { tokens: 0, cost: 0 }
      let closed = false
      return {
        exceeded(more = { tokens: 0, cost: 0 }) {
          for (const { account, limit, tab } of taken) {
            const spent = { tokens: tab.tokens + more.tokens, cost: tab.cost + more.cost }
            for (const kind of ['tokens', 'cost'] as const) {
              const most = limit[kind]
              if (most !== undefined && spent[kind] > most) return { account, limit, kind, spent }
            }
          }
          return undefined
        },
        set(spent) {
          for (const { tab } of taken) {
            tab.tokens += spent.tokens - own.tokens
            tab.cost += spent.cost - own.cost
          }
          own = spent
        },
        async close() {
          if (closed) return
          closed = true
          try {
            if (own.tokens > 0) await Promise.all(taken.map(async ({ account }) => ledger.add(account, own)))
          } catch (cause) {
            throw ledgerFailed(cause)
          } finally {
            for (const { account, tab } of taken) leave(account, tab)
          }
        },
      }
    },
  }
}

/** A budget that cannot be counted is not kept: better no answer than one that nobody allowed. */
const ledgerFailed = (cause: unknown) =>
  new RunletError('internal', {
    reason: 'ledger_failed',
    message: 'what was spent so far cannot be read or written, so that the budget cannot be kept; see to the ledger',
    cause,
  })
