import { RunletError } from './error.ts'
import { nearest } from './near.ts'
import { quoted } from './quote.ts'

/**
 * Refuses members that nobody reads: with `baseURL` for `baseUrl`, keys and prompts would go to another server.
 * `known` has every member; the compiler sees to it. Throws `invalid_request` with reason `unknown_option`.
 */
export function checkOptions<Options extends object>(
  whose: string,
  given: Options,
  known: Readonly<Record<keyof Options, true>>,
): void {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue
    const names = Object.keys(known)
    const meant = nearest(name, names)
    throw new RunletError('invalid_request', {
      reason: 'unknown_option',
      message: `${whose} has no option ${quoted(name)}; ${meant === undefined ? `it has ${names.join(', ')}` : `did you mean "${meant}"?`}`,
    })
  }
}
