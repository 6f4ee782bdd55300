/** Between what comes by itself and one who reads at its own pace. */
export class Queue<T> {
  #waiting: T[] = []
  #over = false
  #error: unknown
  #wake: (() => void) | undefined
  /** What waits, in whatever unit `push` was told. */
  size = 0

  /** Adds something, unless the queue is over. */
  push(item: T, size: number = 0): void {
    if (this.#over) return
    this.#waiting.push(item)
    this.size += size
    this.#wake?.()
  }

  /** Nothing more comes. With an error, reading throws it, once all that waits was read. */
  end(error?: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#error = error
    this.#wake?.()
  }

  /** All that waits, together, again and again, until the end, or until the signal aborts. By one reader. */
  async *read(signal?: AbortSignal): AsyncGenerator<T[], void, undefined> {
    const wake = () => this.#wake?.()
    signal?.addEventListener('abort', wake)
    try {
      for (;;) {
        if (signal?.aborted) return
        const items = this.#waiting
        this.#waiting = []
        this.size = 0
        if (items.length > 0) yield items
        else if (this.#error) throw this.#error
        else if (this.#over) return
        else await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      signal?.removeEventListener('abort', wake)
    }
  }
}
