import { readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundledClient } from './bundle.ts'

const page = fileURLToPath(new URL('../../docs/client.md', import.meta.url))

test('all of runlet/client is less than 10 KB gzipped, and as large as its page says', async () => {
  const code = await bundledClient()
  const bytes = gzipSync(code, { level: 9 }).length
  expect(bytes).toBeLessThan(10_000)
  const told = /(\d+\.\d) KB gzipped/.exec(readFileSync(page, 'utf8'))?.[1]
  // Compressors differ by a few bytes from one version to the next.
  expect(Math.abs(Number(told) - bytes / 1000)).toBeLessThanOrEqual(0.15)
})

test('it holds together without anything that only Node has', async () => {
  const code = await bundledClient()
  const asked = [...code.matchAll(/(?:from|import)\s*\(?["']([^"']+)["']/g)].map(([, name]) => name!)
  expect(asked).toEqual([])
  expect(builtinModules.filter((name) => code.includes(`"node:${name}"`))).toEqual([])
  expect(/\b(?:Buffer|process|require)\b/.exec(code)).toBe(null)
})

test('the page imports nothing that the entries do not give', async () => {
  const text = readFileSync(page, 'utf8')
  const imports = [...text.matchAll(/^import \{ ([^}]+) \} from '(runlet\/[a-z/]+)'$/gm)]
  expect(imports.length).toBeGreaterThan(5)
  const entries: Readonly<Record<string, object>> = {
    'runlet/client': await import('../../src/client/client.ts'),
    'runlet/client/worker': await import('../../src/client/hub-worker.ts'),
  }
  const missing = imports.flatMap(([, names, entry]) =>
    names!.split(', ').filter((name) => !(name in entries[entry!]!)),
  )
  expect(missing).toEqual([])
})
