import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { placesOf, writePrivateFile } from '../../src/config/places.ts'
import type { Environment, Places } from '../../src/config/places.ts'

const inOne = (folder: string): Places => ({
  config: `${folder}/runlet.toml`,
  database: `${folder}/runlet.db`,
  token: `${folder}/token`,
  socket: `${folder}/runlet.sock`,
  daemon: `${folder}/daemon.json`,
  trust: `${folder}/trust.json`,
})

const xdg = (config: string, state: string, runtime: string): Places => ({
  ...inOne(state),
  config: `${config}/runlet.toml`,
  socket: `${runtime}/runlet.sock`,
})

const cases: [name: string, env: Environment, expected: Places][] = [
  ['RUNLET_HOME holds everything', { RUNLET_HOME: '/r', XDG_STATE_HOME: '/s' }, inOne('/r')],
  ['a relative RUNLET_HOME lies in the working directory', { RUNLET_HOME: 'r' }, inOne('/cwd/r')],
  [
    'without anything, the XDG defaults',
    { RUNLET_HOME: '' },
    xdg('/u/.config/runlet', '/u/.local/state/runlet', '/u/.local/state/runlet'),
  ],
  [
    'the XDG folders',
    { XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: '/run/user/1' },
    xdg('/c/runlet', '/s/runlet', '/run/user/1/runlet'),
  ],
  [
    'relative XDG folders do not count',
    { XDG_CONFIG_HOME: 'c', XDG_STATE_HOME: '.', XDG_RUNTIME_DIR: 'x' },
    xdg('/u/.config/runlet', '/u/.local/state/runlet', '/u/.local/state/runlet'),
  ],
]
for (const [name, env, expected] of cases) {
  test(`places: ${name}`, () => {
    expect(placesOf({ env, home: '/u', cwd: '/cwd' })).toEqual(expected)
  })
}

test('a private file is for its owner only, and replaced as a whole', () => {
  const root = mkdtempSync(join(tmpdir(), 'runlet-places-'))
  try {
    const path = join(root, 'a', 'b', 'file')
    writePrivateFile(path, 'one')
    writePrivateFile(path, 'two')
    expect(readFileSync(path, 'utf8')).toBe('two')
    expect(readdirSync(join(root, 'a', 'b'))).toEqual(['file'])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(root, 'a')).mode & 0o777).toBe(0o700)
  } finally {
    rmSync(root, { recursive: true })
  }
})

test('where nothing can be written, the message says what to do', () => {
  const root = mkdtempSync(join(tmpdir(), 'runlet-places-'))
  try {
    writePrivateFile(join(root, 'file'), 'x')
    expect(() => writePrivateFile(join(root, 'file', 'below'), 'x')).toThrow(
      `cannot write ${join(root, 'file')} (EEXIST). Make its folder writable, or set RUNLET_HOME to one that is`,
    )
  } finally {
    rmSync(root, { recursive: true })
  }
})
