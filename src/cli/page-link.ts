/** One-time links to the page of a running daemon. */
import { refusalOf, unreachable } from '../client/http-errors.ts'
import type { Places } from '../config/places.ts'
import { tokenFile } from '../servers/http/auth/token.ts'

/** A link that lets whoever opens it first in. Throws `not_found` (`page_missing`) where the daemon has no page. */
export async function pageLink(daemonUrl: string, places: Places): Promise<string> {
  const response = await fetch(`${daemonUrl}/v1/page/links`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await tokenFile(places.token)}` },
    redirect: 'error',
  }).catch((cause: unknown) => {
    throw unreachable(daemonUrl, cause)
  })
  if (!response.ok) throw await refusalOf(response, daemonUrl)
  const { url } = (await response.json()) as { readonly url: string }
  return url
}
