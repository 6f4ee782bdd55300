import type { Spent } from './money.ts'

/** What spending is booked under. */
export interface Account {
  readonly scope: 'run' | 'session'
  /** The run's or the session's id. */
  readonly id: string
}

/** Remembers what was spent. One that keeps it elsewhere makes budgets outlive the process. */
export interface Ledger {
  /** Everything that was added so far. */
  read(account: Account): Spent | Promise<Spent>
  /** Called once per call of a model, when it is over. */
  add(account: Account, spent: Spent): void | Promise<void>
}

export interface MemoryLedgerOptions {
  /** Accounts that are remembered; beyond it, the one that was longest not used is forgotten. Default 10,000. */
  readonly maxAccounts?: number
}

/** In this process, until it ends. */
export function memoryLedger({ maxAccounts = 10_000 }: MemoryLedgerOptions = {}): Ledger {
  /** The one used last stands last. */
  const accounts = new Map<string, Spent>()
  return {
    read({ scope, id }) {
      return accounts.get(`${scope} ${id}`) ?? { tokens: 0, cost: 0 }
    },
    add({ scope, id }, { tokens, cost }) {
      const key = `${scope} ${id}`
      const before = accounts.get(key) ?? { tokens: 0, cost: 0 }
      accounts.delete(key)
      accounts.set(key, { tokens: before.tokens + tokens, cost: before.cost + cost })
      if (accounts.size > maxAccounts) accounts.delete(accounts.keys().next().value!)
    },
  }
}
