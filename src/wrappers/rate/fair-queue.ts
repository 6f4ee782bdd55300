/** Those who wait for the same thing, party by party in turn: one with a hundred requests does not go before one with one. */
export interface FairQueue<T> {
  readonly length: number
  /** Behind its own party's others. */
  add(party: string, waiting: T): void
  /** Takes it out, wherever it stands; false if it does not stand there. */
  remove(party: string, waiting: T): boolean
  /** Whose turn it is. */
  peek(): T | undefined
  /** Takes out whose turn it is; its party goes behind all others. */
  next(): T | undefined
}

export function fairQueue<T>(): FairQueue<T> {
  /** In the order of their turns; a map keeps it. */
  const parties = new Map<string, Set<T>>()
  let length = 0

  function first(): readonly [party: string, members: Set<T>, waiting: T] | undefined {
    for (const [party, members] of parties) for (const waiting of members) return [party, members, waiting]
    return undefined
  }

  return {
    get length() {
      return length
    },
    add(party, waiting) {
      const members = parties.get(party)
      if (members) members.add(waiting)
      else parties.set(party, new Set([waiting]))
      length++
    },
    remove(party, waiting) {
      const members = parties.get(party)
      if (!members?.delete(waiting)) return false
      if (members.size === 0) parties.delete(party)
      length--
      return true
    },
    peek: () => first()?.[2],
    next() {
      const found = first()
      if (!found) return undefined
      const [party, members, waiting] = found
      members.delete(waiting)
      parties.delete(party)
      if (members.size > 0) parties.set(party, members)
      length--
      return waiting
    },
  }
}
