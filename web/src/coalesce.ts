/**
 * Does a piece of work at once, and then, however often it is asked for, no sooner than `everyMs` after it was done, once
 * for all who asked meanwhile. The work must not throw.
 */
export function coalesce(everyMs: number, work: () => Promise<void>): () => void {
  let busy = false
  let asked = false
  const run = async () => {
    busy = true
    do {
      asked = false
      await work()
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    } while (asked)
    busy = false
  }
  return () => {
    asked = true
    if (!busy) void run()
  }
}
