import { unwatchFile, watchFile } from 'node:fs'
import type { Diagnostic } from '../engine/runtime.ts'
import { tokenFile } from '../servers/http/auth/token.ts'

/** How often the file is looked at. Milliseconds. */
const LOOK_MS = 500

export interface TokenWatch {
  /** Told of the token in the file, whenever that may be another one. */
  readonly onToken: (token: string) => void
  readonly onDiagnostic: (diagnostic: Diagnostic) => void
}

/**
 * Follows a token file until it is told to stop: one that was replaced or written to is read, one that was removed is
 * made. While there is none in it that may be used, the last one holds.
 */
export function watchToken(path: string, { onToken, onDiagnostic }: TokenWatch): () => void {
  const take = async () => {
    try {
      onToken(await tokenFile(path))
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause)
      onDiagnostic({ level: 'error', code: 'token_unusable', message: `the token stays as it was: ${what}`, cause })
    }
  }
  const onChange = () => void take()
  // Not `watch`: that follows the file and not the name, and some file systems report nothing. A token that was
  // revoked must not hold because nobody said so.
  watchFile(path, { interval: LOOK_MS, persistent: false }, onChange)
  // What happened before the first look.
  onChange()
  return () => unwatchFile(path, onChange)
}
