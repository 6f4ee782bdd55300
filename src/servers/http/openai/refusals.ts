import { RunletError } from '../../../core/error.ts'

/** For what OpenAI's API has and Runlet has not. */
export function unsupported(place: string, what: string): RunletError {
  return new RunletError('unsupported', { message: `the body is not accepted: ${place}: ${what}` })
}

/** A failure of a provider. That it takes not Runlet's key says nothing of the caller's, which 401 and 403 would. */
export function ofProvider(error: RunletError): RunletError {
  if (error.code !== 'unauthorized' && error.code !== 'forbidden') return error
  const { message } = error
  return new RunletError('network', { reason: 'provider_unauthorized', temporary: false, message, cause: error })
}
