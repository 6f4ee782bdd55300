/** The names by which a server may be called. */
export interface Hosts {
  admits(host: string): boolean
  /** Tells on which address the server listens: from there on, the port has to be that one. */
  bind(address: string, port: number): void
}

const loopback: readonly string[] = ['127.0.0.1', 'localhost', '[::1]']

/**
 * The loopback names, the address that is listened on, and `configured` ones, which are given as they stand in the
 * `Host` header, with the port unless it is the scheme's own. Compared exactly; nothing is a pattern.
 */
export function hostList(configured: readonly string[]): Hosts {
  const names = new Set(configured)
  let bound = false
  return {
    admits(host) {
      // Not listening itself, behind another framework, it cannot know the port; the name is what rebinding fakes.
      return names.has(host) || (!bound && loopback.includes(host.replace(/:\d{1,5}$/, '')))
    },
    bind(address, port) {
      bound = true
      const literal = address.includes(':') ? `[${address}]` : address
      for (const name of new Set([...loopback, literal])) {
        if (wildcards.has(name)) continue
        names.add(`${name}:${port}`)
        if (port === 80) names.add(name)
      }
    },
  }
}

/** Addresses to listen on, which are nobody's name. */
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '[::]'])
