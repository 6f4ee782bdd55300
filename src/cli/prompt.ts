/** The prompt of `ask`: the words of the command line, what stdin holds, or both. */
import { fstatSync } from 'node:fs'
import { RunletError } from '../core/error.ts'
import { complain } from './report.ts'

/** Longest prompt, in bytes: a daemon takes no larger request. */
const MAX_BYTES = 9 * (1 << 20)

/** How long stdin may say nothing before the user is told what is being waited for. Milliseconds. */
const PATIENCE_MS = 3_000

/**
 * The words, then a blank line, then stdin. Stdin counts only when it is a pipe, a socket or a file, so that nothing
 * waits at a terminal. Throws `invalid_request` with reason `empty_prompt`, `prompt_too_long` or `prompt_not_text`.
 */
export async function readPrompt(
  words: readonly string[],
  { stdin, example }: { readonly stdin: boolean; readonly example: string },
): Promise<string> {
  const asked = words.join(' ')
  const piped = stdin && stdinHasText() ? await readStdin() : ''
  const prompt = [asked, piped].filter((part) => part.trim() !== '').join('\n\n')
  if (prompt === '') {
    throw new RunletError('invalid_request', {
      reason: 'empty_prompt',
      message: `there is nothing to ask. Give the prompt as an argument or on stdin, for example: ${example}`,
    })
  }
  return prompt
}

function stdinHasText(): boolean {
  try {
    const stat = fstatSync(0)
    return stat.isFIFO() || stat.isFile() || stat.isSocket()
  } catch {
    return false
  }
}

async function readStdin(): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  const waiting = setTimeout(() => {
    if (bytes === 0) complain('waiting for stdin to end; without it: runlet ask --no-stdin …, or … < /dev/null')
  }, PATIENCE_MS)
  try {
    for await (const piece of process.stdin) {
      bytes += (piece as Buffer).length
      if (bytes > MAX_BYTES) {
        throw new RunletError('invalid_request', {
          reason: 'prompt_too_long',
          message: `stdin holds more than ${MAX_BYTES} bytes; a prompt cannot be longer`,
        })
      }
      pieces.push(piece as Buffer)
    }
    // One line end at the end belongs to the file, not to the text.
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces)).replace(/\r?\n$/, '')
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new RunletError('invalid_request', {
      reason: 'prompt_not_text',
      message: 'stdin is not UTF-8 text; convert it first, for example with iconv',
      cause,
    })
  } finally {
    clearTimeout(waiting)
  }
}
