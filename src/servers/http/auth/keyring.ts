import type { Clock } from '../../../core/clock.ts'
import { PageLinks } from './page-links.ts'
import { PageSessions } from './page-session.ts'
import { RunTokens } from './run-token.ts'
import { tokenCheck } from './token.ts'

/** What callers can show, all of it by one token. */
export interface Keys {
  readonly isToken: (given: string) => boolean
  readonly links: PageLinks
  readonly sessions: PageSessions
  readonly runTokens: RunTokens
}

/** The keys of a server, until there is another token; then nothing that the old one made holds. */
export class Keyring {
  readonly #clock: Clock
  #keys: Keys

  /** Throws `invalid_request` with reason `token_weak`. */
  constructor(token: string, clock: Clock) {
    this.#clock = clock
    this.#keys = keysOf(token, clock)
  }

  get keys(): Keys {
    return this.#keys
  }

  /** Throws `invalid_request` with reason `token_weak`, and leaves the old token as it was. */
  replace(token: string): void {
    if (!this.#keys.isToken(token)) this.#keys = keysOf(token, this.#clock)
  }
}

const keysOf = (token: string, clock: Clock): Keys => ({
  isToken: tokenCheck(token),
  links: new PageLinks(clock),
  sessions: new PageSessions(token, clock),
  runTokens: new RunTokens(token, clock),
})
