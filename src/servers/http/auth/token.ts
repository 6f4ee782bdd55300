import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { constants } from 'node:fs'
import { link, open, unlink, writeFile } from 'node:fs/promises'
import { RunletError } from '../../../core/error.ts'

/** 256 random bits in base64url. */
export function createToken(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * The token in a file that only its owner can read; the first to ask for it makes it, in a folder that exists.
 * Throws `forbidden` with reason `token_file_exposed` if others may read it or it is not the caller's own file, and
 * `invalid_request` with `token_weak` if there is something else in it.
 */
export async function tokenFile(path: string): Promise<string> {
  // Written apart and linked into place: whoever finds the file finds it whole, and two makers cannot both win.
  const draft = `${path}.${randomBytes(8).toString('hex')}`
  await writeFile(draft, `${createToken()}\n`, { flag: 'wx', mode: 0o600 })
  try {
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(draft)
  }
  return readToken(path)
}

async function readToken(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch((cause: unknown) => {
    throw (cause as NodeJS.ErrnoException).code === 'ELOOP' ? exposed(path, 'is a symbolic link', cause) : cause
  })
  try {
    const { mode, uid } = await file.stat()
    // Windows keeps such things elsewhere, and reports 0666 for every file.
    if (process.getuid && uid !== process.getuid()) throw exposed(path, 'belongs to another user')
    if (process.getuid && (mode & 0o077) !== 0) throw exposed(path, `has mode ${(mode & 0o777).toString(8)}`)
    return strong((await file.readFile('utf8')).trim(), path)
  } finally {
    await file.close()
  }
}

/** Compares what a client gave with the token, in a time that tells nothing. Throws `invalid_request`, `token_weak`. */
export function tokenCheck(token: string): (given: string) => boolean {
  const expected = digest(strong(token, 'the token option'))
  return (given) => timingSafeEqual(digest(given), expected)
}

/** Digests have one length, which `timingSafeEqual` demands, whatever was given. */
const digest = (text: string) => createHash('sha256').update(text).digest()

/** Enough characters for 256 bits, in base64url or hexadecimal. */
function strong(token: string, place: string): string {
  if (/^[A-Za-z0-9_-]{43,128}$/.test(token)) return token
  throw new RunletError('invalid_request', {
    reason: 'token_weak',
    message: `${place} holds no token of 256 bits in base64url or hexadecimal; remove it, and a token is made`,
  })
}

function exposed(path: string, what: string, cause?: unknown): RunletError {
  return new RunletError('forbidden', {
    reason: 'token_file_exposed',
    message: `the token file ${path} ${what}, so others may know the token; remove it, and another is made`,
    cause,
  })
}
