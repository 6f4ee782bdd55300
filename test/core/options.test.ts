import { expect, test } from 'vitest'
import type { RunletError } from '../../src/core/error.ts'
import { ollama } from '../../src/providers/ollama.ts'
import { openaiChat } from '../../src/providers/openai-chat.ts'
import { budgeted } from '../../src/wrappers/budgeted.ts'
import { fallback } from '../../src/wrappers/fallback.ts'
import { rateLimited } from '../../src/wrappers/rate-limited.ts'
import { retrying } from '../../src/wrappers/retrying.ts'
import { safe } from '../../src/wrappers/safe.ts'
import { checkOptions } from '../../src/core/options.ts'

const provider = ollama()
const candidates = [{ name: 'a', provider, model: 'm' }]
/** As a caller without types sees it, or one with options from elsewhere. */
const untyped = (options: object): never => options as never

const slips: [whose: string, make: () => unknown, message: string][] = [
  [
    'openaiChat',
    () => openaiChat(untyped({ baseURL: 'http://127.0.0.1:9' })),
    'openaiChat has no option "baseURL"; did you mean "baseUrl"?',
  ],
  [
    'its dialect',
    () => openaiChat({ dialect: untyped({ askUsgae: false }) }),
    'the dialect of openaiChat has no option "askUsgae"; did you mean "askUsage"?',
  ],
  ['ollama', () => ollama(untyped({ hots: '127.0.0.1:9' })), 'ollama has no option "hots"; did you mean "host"?'],
  ['budgeted', () => budgeted(untyped({ runs: { tokens: 1 } })), 'budgeted has no option "runs"; did you mean "run"?'],
  [
    'an amount',
    () => budgeted({ session: untyped({ token: 1 }) }),
    'the session of budgeted has no option "token"; did you mean "tokens"?',
  ],
  [
    'fallback',
    () => fallback(candidates, untyped({ firstContentMS: 1 })),
    'fallback has no option "firstContentMS"; did you mean "firstContentMs"?',
  ],
  [
    'rateLimited',
    () => rateLimited(untyped({ rpm: 1 })),
    'rateLimited has no option "rpm"; it has requestsPerMinute, tokensPerMinute, maxWaitMs, maxQueued, clock',
  ],
  ['retrying', () => retrying(untyped({ attempt: 1 })), 'retrying has no option "attempt"; did you mean "attempts"?'],
  ['safe', () => safe(untyped({ rules: [], windows: 1 })), 'safe has no option "windows"; did you mean "window"?'],
  [
    'a rule',
    () => safe({ rules: [untyped({ category: 'c', action: 'stop', word: ['a'] })] }),
    'a rule of safe has no option "word"; did you mean "words"?',
  ],
]
for (const [whose, make, message] of slips) {
  test(`an option that is none is refused, with the one that was meant: ${whose}`, () => {
    expect(refusalOf(make)).toEqual({ code: 'invalid_request', reason: 'unknown_option', message })
  })
}

test('members that are there without a value are options too', () => {
  expect(() => openaiChat({ apiKey: undefined, baseUrl: undefined, name: undefined })).not.toThrow()
  expect(() => checkOptions('it', untyped({ constructor: 1 }), {})).toThrow('it has no option "constructor"')
})

function refusalOf(make: () => unknown) {
  try {
    make()
  } catch (thrown) {
    const { code, reason, message } = thrown as RunletError
    return { code, reason, message }
  }
  return undefined
}
