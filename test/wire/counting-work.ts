/**
 * How many characters and bytes `work` copies or searches, by counting what goes through the built-ins that do it.
 * A stopwatch would measure the machine.
 */
export function countingWork(work: () => void): number {
  let count = 0
  const undo: (() => void)[] = []

  function watch(owner: object, name: string, cost: Cost): void {
    const methods = owner as Record<string, (...args: unknown[]) => unknown>
    const original = methods[name]!
    const inherited = !Object.hasOwn(owner, name)
    methods[name] = function (this: unknown, ...args: unknown[]): unknown {
      const result = original.apply(this, args)
      count += cost({ self: this, args, result })
      return result
    }
    undo.push(() => {
      if (inherited) delete methods[name]
      else methods[name] = original
    })
  }

  watch(String.prototype, 'indexOf', ({ self, args, result }) =>
    Number(result) === -1 ? lengthOf(self) : Number(result) - Number(args[1] ?? 0),
  )
  for (const name of ['includes', 'split', 'replaceAll']) watch(String.prototype, name, ({ self }) => lengthOf(self))
  watch(String.prototype, 'slice', ({ result }) => lengthOf(result))
  watch(Array.prototype, 'join', ({ result }) => lengthOf(result))
  watch(Uint8Array.prototype, 'set', ({ args }) => lengthOf(args[0]))
  watch(TextDecoder.prototype, 'decode', ({ args }) => lengthOf(args[0]))
  try {
    work()
  } finally {
    for (const restore of undo.toReversed()) restore()
  }
  return count
}

type Cost = (call: { readonly self: unknown; readonly args: readonly unknown[]; readonly result: unknown }) => number

const lengthOf = (value: unknown): number => (value as { readonly length: number } | undefined)?.length ?? 0
