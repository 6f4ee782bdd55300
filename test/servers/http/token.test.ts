import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createToken, tokenCheck, tokenFile } from '../../../src/servers/http/auth/token.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runlet-token-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('a token has 256 bits, and no two are the same', () => {
  const tokens = Array.from({ length: 100 }, createToken)
  expect(new Set(tokens).size).toBe(100)
  for (const token of tokens) expect(Buffer.from(token, 'base64url')).toHaveLength(32)
})

test('many who ask for the file at once get one token, which only its owner can read', async () => {
  const path = join(folder, 'token')
  const tokens = await Promise.all(Array.from({ length: 20 }, () => tokenFile(path)))
  expect(new Set(tokens).size).toBe(1)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readFile(path, 'utf8')).toBe(`${tokens[0]}\n`)
  expect(await readdir(folder)).toEqual(['token'])
})

test('a token in hexadecimal that somebody put there is as good', async () => {
  const path = join(folder, 'token')
  await writeFile(path, 'ab'.repeat(32), { mode: 0o600 })
  expect(await tokenFile(path)).toBe('ab'.repeat(32))
})

test('a file that others may read is refused', async () => {
  const path = join(folder, 'token')
  await tokenFile(path)
  for (const mode of [0o640, 0o604, 0o666, 0o620]) {
    await chmod(path, mode)
    await expect(tokenFile(path)).rejects.toMatchObject({ code: 'forbidden', reason: 'token_file_exposed' })
  }
})

test('a link to another file is refused', async () => {
  await tokenFile(join(folder, 'real'))
  await symlink(join(folder, 'real'), join(folder, 'token'))
  await expect(tokenFile(join(folder, 'token'))).rejects.toMatchObject({ reason: 'token_file_exposed' })
})

test('what is no token is refused, and not told', async () => {
  const path = join(folder, 'token')
  for (const text of ['', 'hunter2', 'x'.repeat(42), 'two words that are long enough to be a token of 256 bits']) {
    await writeFile(path, text, { mode: 0o600 })
    const error = await tokenFile(path).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'invalid_request', reason: 'token_weak' })
    if (text) expect(String(error)).not.toContain(text)
  }
})

test('a folder that is not there is an error of the system', async () => {
  await expect(tokenFile(join(folder, 'nowhere', 'token'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('only the whole token passes, and nothing that is given throws', () => {
  const token = createToken()
  const check = tokenCheck(token)
  expect(check(token)).toBe(true)
  for (const given of [
    '',
    token.slice(1),
    `${token}=`,
    `${token}\0`,
    ` ${token}`,
    'ü',
    '\uD800',
    'x'.repeat(1 << 20),
  ]) {
    expect(check(given)).toBe(false)
  }
})
