/**
 * What the address of the page holds: `#run=ID` names a run, whose conversation is shown; `#login=CODE` is a one-time
 * link. It stands behind the `#`, which browsers send to nobody.
 */

/** The run that the address names. */
export function placeOf(hash: string): string | undefined {
  const run = new URLSearchParams(hash.slice(1)).get('run')
  // An id as the server makes them; anything else is nobody's.
  return run !== null && /^[\w-]{1,128}$/.test(run) ? run : undefined
}

/** Takes the code of a one-time link out of the address, so that neither history nor a bookmark keeps it. */
export function takeLoginCode(): string | undefined {
  const asked = new URLSearchParams(location.hash.slice(1))
  const code = asked.get('login')
  if (code === null) return undefined
  asked.delete('login')
  const rest = asked.toString()
  history.replaceState(null, '', location.pathname + (rest && `#${rest}`))
  return code
}

export function showPlace(run: string | undefined, how: 'push' | 'replace' = 'push'): void {
  const hash = run === undefined ? '' : `#run=${run}`
  if (location.hash === hash) return
  const url = location.pathname + hash
  if (how === 'push') history.pushState(null, '', url)
  else history.replaceState(null, '', url)
}
