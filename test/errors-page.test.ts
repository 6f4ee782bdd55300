/** docs/errors.md says what the source says: every code with what it means, every reason under its code. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { errorCodes } from '../src/core/error.ts'

const repo = fileURLToPath(new URL('..', import.meta.url))
const page = readFileSync(join(repo, 'docs/errors.md'), 'utf8')

/** What fails on the way of a run. Tools fail for the model; the command line and the simulator for whoever sits there. */
const layers = ['core', 'wire', 'providers', 'wrappers', 'engine', 'logs', 'config', 'servers', 'client', 'formats']

const sources = layers.flatMap((layer) =>
  readdirSync(join(repo, 'src', layer), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(join(repo, 'src', layer, path), 'utf8')),
)

/** `code reason` of every error that is thrown by name, or stands in a table. */
const thrown = new Set(
  sources.flatMap((text) =>
    [
      ...text.matchAll(/new RunletError\(\s*'(\w+)',\s*\{(?:[^{}]|\{[^{}]*\})*?reason: '(\w+)'/g),
      ...text.matchAll(/code: '(\w+)',\s*reason: '(\w+)'/g),
    ].map(([, code, reason]) => `${code} ${reason}`),
  ),
)

const listed = [...page.matchAll(/^### `(\w+)`$([^]*?)(?=^##|$(?![^]))/gm)].flatMap(([, code, section]) =>
  [...section!.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, reasons]) =>
    [...reasons!.matchAll(/`(\w+)`/g)].map(([, reason]) => `${code} ${reason}`),
  ),
)

test('the table of codes is the table in the source', () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| (yes|no) \| (?:(\d+) s)? ?\| (\d) \|$/gm)]
  const shown = rows.map(([, code, status, temporary, seconds, exit]) => [
    code,
    {
      status: Number(status),
      exit: Number(exit),
      temporary: temporary === 'yes',
      ...(seconds === undefined ? {} : { retryAfterMs: Number(seconds) * 1000 }),
    },
  ])
  expect(shown).toEqual(Object.entries(errorCodes))
})

test('every reason in the source is on the page, under its code', () => {
  expect(thrown.size).toBeGreaterThan(80)
  expect([...thrown].filter((one) => !listed.includes(one)).toSorted()).toEqual([])
})

test('every reason on the page is in the source, and once under its code', () => {
  const all = sources.join('\n') + readFileSync(join(repo, 'src/cli/compose.ts'), 'utf8')
  const gone = listed.filter((one) => !all.includes(`'${one.split(' ')[1]!}'`))
  expect(gone).toEqual([])
  expect(listed.filter((one, i) => listed.indexOf(one) !== i)).toEqual([])
})
