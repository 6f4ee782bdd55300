import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../../core/clock.ts'
import { RunletError } from '../../../core/error.ts'

/** How long a link can be used. Milliseconds. */
const LINK_MS = 5 * 60_000
/** With one more, the oldest is forgotten. */
const MAX_LINKS = 100
/** Wrong codes that are answered with what is wrong, in `MINUTE_MS`. */
const MAX_WRONG = 30
const MINUTE_MS = 60_000

interface Link {
  /** Of the code: what this process holds lets nobody in. */
  readonly digest: Buffer
  readonly expiresAt: number
  used: boolean
}

/** The codes of one-time links: 256 random bits, good once and for five minutes. They do not outlive this process. */
export class PageLinks {
  readonly #clock: Clock
  #links: readonly Link[] = []
  #wrong = { since: 0, count: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  make(): { readonly code: string; readonly expiresAt: number } {
    const code = randomBytes(32).toString('base64url')
    const expiresAt = this.#clock.now() + LINK_MS
    this.#links = [...this.#current().slice(1 - MAX_LINKS), { digest: digestOf(code), expiresAt, used: false }]
    return { code, expiresAt }
  }

  /**
   * Lets a code in, this once. Throws `forbidden` with reason `link_used` or `link_unknown`, and `rate_limited` with
   * `too_many_logins` where wrong codes come in numbers; a right one is let in even then, so that nobody is locked out.
   */
  redeem(code: string): void {
    const given = digestOf(code)
    let found: Link | undefined
    // All of them, always: the time that it takes does not tell which one came close.
    for (const link of this.#current()) if (timingSafeEqual(link.digest, given)) found = link
    if (found && !found.used) {
      found.used = true
      return
    }
    this.#countWrong()
    throw found ? used() : unknown()
  }

  #current(): readonly Link[] {
    const now = this.#clock.now()
    return (this.#links = this.#links.filter(({ expiresAt }) => now < expiresAt))
  }

  #countWrong(): void {
    const now = this.#clock.now()
    if (now - this.#wrong.since >= MINUTE_MS) this.#wrong = { since: now, count: 0 }
    if (++this.#wrong.count <= MAX_WRONG) return
    throw new RunletError('rate_limited', {
      reason: 'too_many_logins',
      message: 'too many wrong codes have come in; wait a minute',
      retryAfterMs: this.#wrong.since + MINUTE_MS - now,
    })
  }
}

const digestOf = (code: string) => createHash('sha256').update(code).digest()

const used = () =>
  new RunletError('forbidden', {
    reason: 'link_used',
    message: 'this link has been used already; "runlet page" makes another',
  })

const unknown = () =>
  new RunletError('forbidden', {
    reason: 'link_unknown',
    message: 'this link is not known, or is older than five minutes; "runlet page" makes another',
  })
