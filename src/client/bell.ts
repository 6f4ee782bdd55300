/** Wakes those who wait for something to change. A ring that nobody waits for is forgotten: look first, then wait. */
export class Bell {
  #waiting: (() => void)[] = []

  /** Resolves at the next ring. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  readonly ring = (): void => {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
