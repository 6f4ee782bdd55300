/** One piece of work that is done in a process of its own, again and again, to see what it costs. */
export type Job = (options: JobOptions) => Work | Promise<Work>

export interface JobOptions {
  /** An empty folder of its own. */
  readonly folder: string
}

/** Does the work some times, checks what came of it, and returns how often it was done. About 1 to 50 ms. */
export type Work = () => number | Promise<number>

/** Throws unless a job made what it should have made. */
export function expectSame<T>(what: string, actual: T, expected: T): void {
  if (actual === expected) return
  throw new Error(`${what} is not what it should be: ${excerpt(actual)} instead of ${excerpt(expected)}`)
}

function excerpt(value: unknown): string {
  const text = String(value)
  return text.length <= 60
    ? JSON.stringify(text)
    : `${text.length} characters that end ${JSON.stringify(text.slice(-40))}`
}
