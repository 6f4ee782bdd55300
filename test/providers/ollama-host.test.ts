import { expect, test } from 'vitest'
import { parseOllamaHost } from '../../src/providers/ollama/host.ts'

const forms: [value: string | undefined, url: string][] = [
  [undefined, 'http://127.0.0.1:11434'],
  ['', 'http://127.0.0.1:11434'],
  ['  ', 'http://127.0.0.1:11434'],
  ['example.com', 'http://example.com:11434'],
  ['example.com:1234', 'http://example.com:1234'],
  [':1234', 'http://127.0.0.1:1234'],
  ['1234', 'http://127.0.0.1:1234'],
  ['0.0.0.0', 'http://127.0.0.1:11434'],
  ['0.0.0.0:1234', 'http://127.0.0.1:1234'],
  ['http://example.com', 'http://example.com'],
  ['http://example.com:1234/', 'http://example.com:1234'],
  ['https://example.com', 'https://example.com'],
  ['HTTPS://Example.com:8443', 'https://example.com:8443'],
  ['https://example.com/ollama/', 'https://example.com/ollama'],
  ['example.com/ollama', 'http://example.com:11434/ollama'],
  ['::1', 'http://[::1]:11434'],
  ['[::1]', 'http://[::1]:11434'],
  ['[::1]:1234', 'http://[::1]:1234'],
  ['::', 'http://[::1]:11434'],
  ['http://[::]:1234', 'http://[::1]:1234'],
  ['fe80::1', 'http://[fe80::1]:11434'],
]

for (const [value, url] of forms) {
  test(`OLLAMA_HOST ${JSON.stringify(value)} means ${url}`, () => {
    expect(parseOllamaHost(value)).toBe(url)
  })
}

for (const value of [
  'ftp://example.com',
  'example.com:99999',
  'example.com:x',
  'user:pw@example.com',
  'a b',
  'h?x=1',
]) {
  test(`OLLAMA_HOST ${JSON.stringify(value)} is refused`, () => {
    expect(() => parseOllamaHost(value)).toThrow(expect.objectContaining({ reason: 'bad_base_url' }))
  })
}
