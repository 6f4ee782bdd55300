/** Where the page hears of runs: over one connection for all of its tabs, where the browser can share one. */
import { createHub, type Hub } from '../../src/client/hub.ts'
import { hubFromPort } from '../../src/client/hub-tab.ts'
import type { HttpClient } from '../../src/client/http.ts'
// oxlint-disable-next-line import/default
import workerUrl from './hub-worker.ts?sharedworker&url'

/** The hub of all tabs; where there are no shared workers (Android), one of this tab's own. */
export function openHub(client: HttpClient): Hub {
  if (typeof SharedWorker === 'undefined') return createHub(client)
  const { port } = new SharedWorker(trusted(workerUrl), { type: 'module', name: 'runlet' })
  return hubFromPort(port)
}

/**
 * The policy of the page lets no string become a script. This is the one that may: the address that the build wrote into
 * the line above.
 */
function trusted(url: string): string {
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes }
  return trustedTypes?.createPolicy('runlet', { createScriptURL: (given) => given }).createScriptURL(url) ?? url
}

/** As much of Trusted Types as is used here. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { readonly createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): string }
}
