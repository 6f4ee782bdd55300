import type { FSWatcher } from 'node:fs'
import { watch } from 'node:fs'

/** How long a change may go unnoticed where the system does not report it. Milliseconds. */
const SAFETY_MS = 1000

/**
 * Calls back when a process has committed something to the file: writers touch it after each commit. Calls that fall
 * together are made once. It does not keep this process alive, unless it is `urgent`.
 */
export class Watch {
  readonly #path: string
  readonly #onChange: () => void
  #watcher: FSWatcher | undefined
  #safety: NodeJS.Timeout | undefined
  #scheduled: NodeJS.Immediate | undefined

  constructor(path: string, onChange: () => void) {
    this.#path = path
    this.#onChange = onChange
  }

  start(): void {
    if (this.#watcher) return
    try {
      this.#watcher = watch(this.#path, { persistent: false }, (event) => {
        // The file was replaced or moved: what is watched is not what the path names any more.
        if (event === 'rename') this.#stop()
        this.#schedule()
      })
      this.#watcher.on('error', () => this.#stop())
    } catch {
      // The system has no watches left. What is urgent is looked after by the clock.
    }
  }

  /**
   * Whether somebody waits for another process. Then a slow timer looks, too: network file systems, some containers and
   * a system that has run out of watches report nothing, and nobody is to wait for ever.
   */
  set urgent(urgent: boolean) {
    if (!urgent) clearInterval(this.#safety)
    this.#safety = urgent ? (this.#safety ?? setInterval(() => this.#look(), SAFETY_MS)) : undefined
  }

  close(): void {
    this.urgent = false
    this.#stop()
    if (this.#scheduled) clearImmediate(this.#scheduled)
  }

  #look(): void {
    this.start()
    this.#onChange()
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined
      this.#onChange()
    })
  }

  #stop(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
