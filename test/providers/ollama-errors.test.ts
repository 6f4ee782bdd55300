import { expect, test } from 'vitest'
import { ollamaError } from '../../src/providers/ollama/errors.ts'
import { sharedFixtures } from './recordings.ts'

const peer = { provider: 'ollama', name: 'the test', redact: (text: string) => text }
const made = (words: string, status?: number) => ollamaError(peer, { model: 'm', words, status })

const sentences: [words: string, code: string, reason: string][] = [
  ['model "m" not found, try pulling it first', 'not_found', 'model_not_found'],
  ["model 'llama9' not found", 'not_found', 'model_not_found'],
  ['"m" does not support tools', 'unsupported', 'not_supported'],
  ['model requires more system memory (5.6 GiB) than is available (3.1 GiB)', 'provider_unavailable', 'out_of_memory'],
  ['CUDA error: out of memory', 'provider_unavailable', 'out_of_memory'],
  ['insufficient memory', 'provider_unavailable', 'out_of_memory'],
  ['the input length exceeds the context length', 'context_length_exceeded', 'context_length_exceeded'],
  ['prompt too long; exceeded max context length by 3 tokens', 'context_length_exceeded', 'context_length_exceeded'],
  ['server busy, please try again.  maximum pending requests exceeded', 'overloaded', 'server_busy'],
  ['llama runner process has terminated: exit status 2', 'provider_unavailable', 'runner_lost'],
  ['llama runner process no longer running: -1', 'provider_unavailable', 'runner_lost'],
  ['server is currently unavailable', 'provider_unavailable', 'runner_lost'],
  ['timed out waiting for llama runner to start', 'timeout', 'provider_timeout'],
  ['context deadline exceeded', 'timeout', 'provider_timeout'],
  ['dial tcp 127.0.0.1:40553: connect: connection refused', 'network', 'runner_unreachable'],
  ['invalid chat request', 'invalid_request', 'bad_request'],
  ['missing request body', 'invalid_request', 'bad_request'],
  ['unauthorized', 'unauthorized', 'unauthorized'],
  ['something new', 'internal', 'provider_error'],
]
for (const [words, code, reason] of sentences) {
  test(`ollama: "${words}" is ${code} (${reason}), and stands in no message`, () => {
    const error = made(words)
    expect([error.code, error.reason, error.message.includes(words)]).toEqual([code, reason, false])
  })
}

test('ollama: a sentence that nobody knows is what its status says', () => {
  expect([400, 404, 429, 500, 502, 503].map((status) => made('hm', status).code)).toEqual([
    'invalid_request',
    'not_found',
    'rate_limited',
    'internal',
    'network',
    'provider_unavailable',
  ])
})

const recorded = sharedFixtures('ollama').find(({ name }) => name === 'error-midstream.ndjson')
test.skipIf(!recorded)('ollama: the error that was recorded in mid-stream is typed', () => {
  const lines = Buffer.from(recorded!.bytes).toString().trim().split('\n')
  const { error } = JSON.parse(lines.at(-1)!) as { error: string }
  expect([made(error).code, made(error).reason]).toEqual(['internal', 'provider_error'])
})
