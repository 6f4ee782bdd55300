import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Found, WalkEnd, WalkOptions } from '../../src/tools/walk.ts'
import { walk } from '../../src/tools/walk.ts'
import { plant } from './tree.ts'

const everything: WalkOptions = { path: '.', depth: 64, ignored: false, signal: new AbortController().signal }

async function walked(root: string, options: Partial<WalkOptions>): Promise<{ paths: string[]; end: WalkEnd }> {
  const paths: string[] = []
  const found: AsyncGenerator<Found, WalkEnd> = walk({ path: root }, { ...everything, ...options })
  for (;;) {
    const { value, done } = await found.next()
    if (done) return { paths, end: value }
    paths.push(value.path)
  }
}

test('a walk stops at its limit of entries, whatever it was to look for, and says that there is more', async () => {
  const root = plant({ 'a/1': '', 'a/2': '', 'b/1': '', 'b/2': '', 'node_modules/1': '' })
  expect(await walked(root, { most: 5 })).toEqual({
    paths: ['a', 'a/1', 'a/2', 'b'],
    end: { cut: true, unreadable: 0 },
  })
  expect(await walked(root, { most: 7 })).toEqual({
    paths: ['a', 'a/1', 'a/2', 'b', 'b/1', 'b/2'],
    end: { cut: false, unreadable: 0 },
  })
  expect((await walked(root, { most: 0 })).end).toEqual({ cut: true, unreadable: 0 })
})

test('a folder that goes away while it is walked is counted and passed over', async () => {
  const root = plant({ 'a/1': '', 'b/1': '', 'c/1': '' })
  const found = walk({ path: root }, everything)
  const paths: string[] = []
  let end: WalkEnd | undefined
  while (!end) {
    const { value, done } = await found.next()
    if (done) end = value
    else {
      paths.push(value.path)
      if (value.path === 'b') rmSync(join(root, 'b'), { recursive: true })
    }
  }
  expect(paths).toEqual(['a', 'a/1', 'b', 'c', 'c/1'])
  expect(end).toEqual({ cut: false, unreadable: 1 })
})

// The superuser may read anything.
test.skipIf(process.getuid?.() === 0)('a folder that may not be read is counted and passed over', async () => {
  const root = plant({ 'a/1': '', 'b/1': '' })
  chmodSync(join(root, 'a'), 0)
  expect(await walked(root, {})).toEqual({ paths: ['a', 'b', 'b/1'], end: { cut: false, unreadable: 1 } })
  chmodSync(join(root, 'a'), 0o700)
})

test('a walk ends with the signal’s reason, in whatever folder it is', async () => {
  const abort = new AbortController()
  const found = walk({ path: plant({ 'a/1': '', 'b/1': '' }) }, { ...everything, signal: abort.signal })
  expect((await found.next()).value).toEqual({ path: 'a', kind: 'folder' })
  abort.abort('cancelled')
  await expect(found.next()).rejects.toBe('cancelled')
})
