import { RunletError } from '../../../core/error.ts'

/** For a body that says something wrong at `place`. */
export function invalid(place: string, what: string): RunletError {
  return new RunletError('invalid_request', {
    reason: 'body_invalid',
    message: `the body is not accepted: ${place}: ${what}`,
  })
}

/** For what OpenAI's API has and Runlet has not. */
export function unsupported(place: string, what: string): RunletError {
  return new RunletError('unsupported', { message: `the body is not accepted: ${place}: ${what}` })
}

/** What a stranger wrote, fit for a message. */
export const shown = (text: string): string => JSON.stringify(text.slice(0, 80))
