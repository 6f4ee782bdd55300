import { execFileSync } from 'node:child_process'
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { RunletError } from '../../src/core/error.ts'
import { seededRandom } from '../../src/testing/random-run.ts'
import { boxTools } from '../../src/tools/index.ts'
import { call, plant, refusal } from './tree.ts'

const secret = 'the secret of another folder'

/** A root with a sibling that must stay out of reach, and every kind of way there. */
function trap() {
  const parent = plant({
    'outside/secret.txt': secret,
    'root-not/secret.txt': secret,
    'root/inside.txt': 'fine',
    'root/sub/deep.txt': 'deep',
    'root/link-inside': { link: 'sub/deep.txt' },
    'root/folder-inside': { link: 'sub' },
    'root/link-out': { link: '../outside/secret.txt' },
    'root/folder-out': { link: '../outside' },
    'root/sibling-out': { link: '../root-not/secret.txt' },
    'root/chain': { link: 'chain2' },
    'root/chain2': { link: 'folder-out/secret.txt' },
    'root/absolute-out': { link: '/etc/hostname' },
    'root/proc-root': { link: '/proc/self/root' },
    'root/proc-cwd': { link: '/proc/self/cwd' },
    'root/proc-environ': { link: '/proc/self/environ' },
    'root/up': { link: '..' },
    'root/loop': { link: 'loop' },
    'root/dangling': { link: 'nowhere' },
  })
  const [listFiles, readFile, searchText] = boxTools({ root: join(parent, 'root') })
  return { parent, listFiles: listFiles!, readFile: readFile!, searchText: searchText! }
}

describe('reading what is not inside is refused', () => {
  const paths: [name: string, path: string, refused: string][] = [
    ['a parent', '../outside/secret.txt', 'invalid_request bad_path'],
    ['a parent further in', 'sub/../../outside/secret.txt', 'invalid_request bad_path'],
    ['a parent that would stay inside', 'sub/../inside.txt', 'invalid_request bad_path'],
    ['an absolute path', '/etc/hostname', 'invalid_request bad_path'],
    ['an absolute path with more slashes', '//etc/hostname', 'invalid_request bad_path'],
    ['NUL behind a good name', 'inside.txt\0.png', 'invalid_request bad_path'],
    ['a path that is too long', `sub/${'x/'.repeat(5_000)}`, 'not_found file_unknown'],
    ['a name that is too long', 'x'.repeat(300), 'invalid_request bad_path'],
    ['a link out', 'link-out', 'forbidden outside_root'],
    ['a file behind a link out', 'folder-out/secret.txt', 'forbidden outside_root'],
    ['a sibling whose name begins like the root', 'sibling-out', 'forbidden outside_root'],
    ['a chain of links out', 'chain', 'forbidden outside_root'],
    ['a link to an absolute path', 'absolute-out', 'forbidden outside_root'],
    ['the root of the file system by way of /proc', 'proc-root/etc/hostname', 'forbidden outside_root'],
    ['this process by way of /proc', 'proc-environ', 'forbidden outside_root'],
    ['the folder of this process by way of /proc', 'proc-cwd/package.json', 'forbidden outside_root'],
    ['the parent by a link', 'up/outside/secret.txt', 'forbidden outside_root'],
    ['a link to itself', 'loop', 'forbidden outside_root'],
    ['a link to nothing', 'dangling', 'not_found file_unknown'],
    ['a name that is not there', 'missing.txt', 'not_found file_unknown'],
    ['a name in a file', 'inside.txt/x', 'not_found file_unknown'],
    ['a home folder', '~/.ssh/id_rsa', 'not_found file_unknown'],
    ['an encoded parent', '%2e%2e/outside/secret.txt', 'not_found file_unknown'],
    ['a variable', '$HOME/.profile', 'not_found file_unknown'],
  ]
  for (const [name, path, refused] of paths) {
    test(name, async () => {
      const { listFiles, readFile, searchText } = trap()
      expect(await refusal(readFile, { path })).toBe(refused)
      // As a folder to list or search, the same answer.
      expect(await refusal(listFiles, { path })).toBe(refused)
      expect(await refusal(searchText, { path, query: 'secret' })).toBe(refused)
    })
  }

  test('the refusal says what to do instead, and not where the root is', async () => {
    const { parent, readFile } = trap()
    const messages: string[] = []
    for (const path of ['/etc/passwd', '../x', 'link-out', 'missing.txt']) {
      await call(readFile, { path }).catch((error: Error) => messages.push(error.message))
    }
    expect(messages).toEqual([
      '"/etc/passwd" is absolute; give a path relative to the working directory, for example "."',
      '"../x" contains ".."; only what lies inside the working directory can be read',
      '"link-out" leads out of the working directory; only what lies inside can be read',
      'there is no "missing.txt" in the working directory; list_files shows what there is',
    ])
    expect(messages.join('\n')).not.toContain(parent)
  })
})

describe('what is inside can be read', () => {
  const paths: [name: string, path: string, content: string][] = [
    ['by its name', 'inside.txt', 'fine'],
    ['with a dot before it', './inside.txt', 'fine'],
    ['with slashes too many', 'sub//deep.txt', 'deep'],
    ['by a link that stays inside', 'link-inside', 'deep'],
    ['behind a folder link that stays inside', 'folder-inside/deep.txt', 'deep'],
    ['by a link that leaves and comes back', 'up/root/inside.txt', 'fine'],
  ]
  for (const [name, path, content] of paths) {
    test(name, async () => expect(await call(trap().readFile, { path })).toBe(content))
  }

  test('even when the root itself is named by a link', async () => {
    const { parent } = trap()
    symlinkSync(join(parent, 'root'), join(parent, 'alias'))
    const readFile = boxTools({ root: join(parent, 'alias') })[1]!
    expect(await call(readFile, { path: 'inside.txt' })).toBe('fine')
    expect(await refusal(readFile, { path: 'link-out' })).toBe('forbidden outside_root')
  })
})

test('links are listed and not followed: neither a list nor a search leaves the root', async () => {
  const { listFiles, searchText } = trap()
  expect(await call(listFiles, { depth: 64 })).toBe(
    [
      'absolute-out -> link',
      'chain -> link',
      'chain2 -> link',
      'dangling -> link',
      'folder-inside -> link',
      'folder-out -> link',
      'inside.txt',
      'link-inside -> link',
      'link-out -> link',
      'loop -> link',
      'proc-cwd -> link',
      'proc-environ -> link',
      'proc-root -> link',
      'sibling-out -> link',
      'sub/',
      'sub/deep.txt',
      'up -> link',
    ].join('\n'),
  )
  expect(await call(searchText, { query: 'secret' })).toBe('[nothing found in 2 files]')
})

test('a FIFO is refused at once, without waiting for someone to write', async () => {
  const root = plant({ 'a.txt': 'needle' })
  execFileSync('mkfifo', [join(root, 'pipe')])
  const [listFiles, readFile, searchText] = boxTools({ root })
  expect(await refusal(readFile!, { path: 'pipe' })).toBe('invalid_request not_text')
  expect(await call(listFiles!)).toBe('a.txt\npipe (not a file)')
  expect(await call(searchText!, { query: 'needle' })).toBe('a.txt:1: needle')
})

test('a root that is gone is said to be gone, without its path', async () => {
  const root = plant({ 'a.txt': 'x' })
  rmSync(root, { recursive: true })
  await expect(call(boxTools({ root })[1]!, { path: 'a.txt' })).rejects.toThrow(/^the working directory is gone$/)
})

test('a folder that turns into a link out while it is read never gives what lies outside', async () => {
  const parent = plant({ 'outside/file.txt': secret, 'root/real/file.txt': 'fine' })
  const root = join(parent, 'root')
  symlinkSync('../outside', join(root, 'evil'))
  const [listFiles, readFile, searchText] = boxTools({ root })
  writeFileSync(join(parent, 'outside', 'only-outside'), '')

  // `sub` is the real folder and the link out by turns, each for some turns of the event loop: a call that takes
  // several is bound to meet the change at each of its steps.
  const random = seededRandom(7)
  const done = new AbortController()
  const swapping = (async () => {
    for (let turn = 0; !done.signal.aborted; turn++) {
      const name = join(root, turn % 2 === 0 ? 'real' : 'evil')
      renameSync(name, join(root, 'sub'))
      for (let wait = random() * 12; wait > 0; wait--) await new Promise<void>((go) => void setImmediate(go))
      renameSync(join(root, 'sub'), name)
    }
  })()

  const seen = new Set<string>()
  const note = async (answer: Promise<unknown>) => {
    seen.add(await answer.then(String, (error: RunletError) => `${error.code} ${error.reason}`))
  }
  for (let round = 0; round < 300; round++) {
    await note(call(readFile!, { path: 'sub/file.txt' }))
    await note(call(listFiles!, { path: 'sub' }))
    await note(call(searchText!, { path: 'sub', query: 'e' }))
  }
  done.abort()
  await swapping
  const inside = [
    'fine',
    'sub/file.txt',
    'sub/file.txt:1: fine',
    '[nothing found in 0 files]\n[not searched: 1 unreadable]',
  ]
  const refused = ['forbidden outside_root', 'not_found file_unknown']
  expect([...seen].filter((answer) => ![...inside, ...refused].includes(answer))).toEqual([])
  expect(['fine', 'forbidden outside_root'].filter((answer) => !seen.has(answer))).toEqual([])
})
