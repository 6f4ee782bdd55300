import type { Command } from 'commander'
import { dirname } from 'node:path'
import { makePrivateFolder, writePrivateFile } from '../config/places.ts'
import { sleep, systemClock } from '../core/clock.ts'
import { RunletError } from '../core/error.ts'
import { createToken, tokenFile } from '../servers/http/auth/token.ts'
import type { DaemonRecord } from './daemon.ts'
import { rivalOf } from './daemon.ts'
import { printLines } from './output.ts'
import { myPlaces } from './settings.ts'

export function addToken(program: Command): void {
  program
    .command('token')
    .summary('print the token of the daemon, or make another')
    .description(
      'Prints what clients of the daemon have to show. With --rotate another one takes its place: the old one, and all ' +
        'that it opened, is refused within a second, also by a daemon that runs.',
    )
    .option('--rotate', 'make another token, and print nothing secret')
    .addHelpText('after', '\nExample:\n  curl -H "Authorization: Bearer $(runlet token)" http://127.0.0.1:7411/v1/runs')
    .action(async (flags: { readonly rotate?: boolean }) => token(flags))
}

async function token({ rotate }: { readonly rotate?: boolean }): Promise<void> {
  const places = myPlaces()
  if (!rotate) {
    makePrivateFolder(dirname(places.token))
    return printLines([await tokenFile(places.token)])
  }
  const daemon = await rivalOf(places.daemon)
  const another = createToken()
  writePrivateFile(places.token, `${another}\n`)
  if (daemon) await taken(daemon, another)
  await printLines([`${places.token} holds another token; what the old one opened is closed`])
}

const LOOK_MS = 100
const PATIENCE_MS = 5_000

/** Waits until a daemon goes by a token. A revocation that did not happen must not look like one that did. */
async function taken({ url, pid }: DaemonRecord, another: string): Promise<void> {
  for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
    const answer = await fetch(`${url}/v1/page/session`, { headers: { authorization: `Bearer ${another}` } }).catch(
      () => undefined,
    )
    await answer?.body?.cancel()
    if (answer?.ok) return
    await sleep(systemClock, LOOK_MS)
  }
  throw new RunletError('timeout', {
    reason: 'token_not_taken',
    message: `the daemon (pid ${pid}) still goes by the old token; stop it, and start it again: it then takes the new one`,
  })
}
