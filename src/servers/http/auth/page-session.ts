import { randomBytes } from 'node:crypto'
import type { Clock } from '../../../core/clock.ts'
import { sealFor, type Seal } from './sealed.ts'

/** A browser that came in by a one-time link. */
export interface PageSession {
  readonly id: string
  /** Unix time in milliseconds. */
  readonly expiresAt: number
}

const DAY_MS = 24 * 60 * 60 * 1000
const SESSION_MS = 7 * DAY_MS
/** Ended sessions that are remembered. */
const MAX_ENDED = 1_000

/**
 * The sessions of the page. Their cookies say all there is to know, so they outlive this process; what is kept is which
 * ones were ended before their time.
 */
export class PageSessions {
  readonly #seal: Seal
  readonly #clock: Clock
  /** Ids, each with the time from which on it need not be remembered. */
  readonly #ended = new Map<string, number>()

  constructor(token: string, clock: Clock) {
    this.#seal = sealFor('page session', token)
    this.#clock = clock
  }

  begin(): PageSession {
    return this.#lasting(randomBytes(16).toString('base64url'))
  }

  /** The session with its whole time ahead, once a day of it has passed; before, undefined. */
  renewed({ id, expiresAt }: PageSession): PageSession | undefined {
    return expiresAt - this.#clock.now() < SESSION_MS - DAY_MS ? this.#lasting(id) : undefined
  }

  /** What the cookie of a session holds. */
  write({ id, expiresAt }: PageSession): string {
    return this.#seal.close(`${id} ${expiresAt}`)
  }

  /** The session that a cookie stands for, if it still holds. */
  read(value: string): PageSession | undefined {
    const [id, expires] = this.#seal.open(value)?.split(' ') ?? []
    if (id === undefined) return undefined
    const session = { id, expiresAt: Number(expires) }
    return this.#clock.now() < session.expiresAt && !this.hasEnded(session) ? session : undefined
  }

  /** From here on no cookie of it counts, as long as this process lives. */
  end({ id }: PageSession): void {
    const now = this.#clock.now()
    for (const [other, until] of this.#ended) if (until <= now) this.#ended.delete(other)
    if (this.#ended.size >= MAX_ENDED) this.#ended.delete(this.#ended.keys().next().value!)
    // The last of its cookies may have been made at this moment.
    this.#ended.set(id, now + SESSION_MS)
  }

  hasEnded({ id }: PageSession): boolean {
    return this.#ended.has(id)
  }

  #lasting(id: string): PageSession {
    return { id, expiresAt: this.#clock.now() + SESSION_MS }
  }
}

/** Browsers keep cookies by host, for all its ports at once: the port is part of the name, so that servers do not take each other's. */
function cookieName(host: string): string {
  const port = /:(\d{1,5})$/.exec(host)?.[1]
  return port === undefined ? 'runlet' : `runlet_${port}`
}

/** How a browser called us. */
export interface Called {
  /** As it stands in the `Host` header. */
  readonly host: string
  /** Over TLS, which somebody before us may have ended. */
  readonly secure: boolean
}

/** A `Set-Cookie` header: scripts cannot read it, and other sites do not send it along. An empty value takes it away. */
export function sessionCookie({ host, secure }: Called, value: string): string {
  const age = value === '' ? 0 : SESSION_MS / 1000
  const flags = `HttpOnly; SameSite=Strict; Path=/; Max-Age=${age}${secure ? '; Secure' : ''}`
  return `${cookieName(host)}=${value}; ${flags}`
}

/** Our cookie in a `Cookie` header. Of two with the name, which a sibling domain can cause, none is trusted. */
export function cookieOf(header: string | undefined, host: string): string | undefined {
  if (header === undefined) return undefined
  const start = `${cookieName(host)}=`
  const [ours, ...others] = header.split(';').flatMap((pair) => {
    const cookie = pair.trim()
    return cookie.startsWith(start) ? [cookie.slice(start.length)] : []
  })
  return others.length === 0 ? ours : undefined
}
