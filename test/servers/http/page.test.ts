import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { lab } from './lab.ts'

const folder = mkdtempSync(join(tmpdir(), 'runlet-page-'))
mkdirSync(join(folder, 'assets'))
const html = '<!doctype html><title>x</title>'
const script = 'let x = 1;\n'.repeat(200)
writeFileSync(join(folder, 'index.html'), html)
writeFileSync(join(folder, 'assets', 'index-abc.js'), script)
writeFileSync(join(folder, 'assets', 'icon.svg'), '<svg/>')
writeFileSync(join(folder, 'assets', 'index-abc.js.map'), '{}')
writeFileSync(join(folder, 'secret.txt'), 'not to be served')
afterAll(() => rmSync(folder, { recursive: true }))

const open = { headers: { authorization: '' } }

describe('the page', () => {
  test('is served to everybody, with rules that leave other scripts and other sites no room', async () => {
    const response = await lab({ page: folder }).ask('/', open)
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(html)
    expect(Object.fromEntries(response.headers)).toEqual({
      'cache-control': 'no-cache',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify runlet",
      'content-type': 'text/html; charset=utf-8',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      etag: expect.stringMatching(/^"[\w-]{22}"$/),
      'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
      'referrer-policy': 'no-referrer',
      vary: expect.stringMatching(/Origin.*Accept-Encoding/),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'x-request-id': expect.any(String),
    })
  })

  test('has files that may be kept for ever, under the same rules', async () => {
    const response = await lab({ page: folder }).ask('/assets/index-abc.js', open)
    expect(await response.text()).toBe(script)
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  test('is zipped for whoever takes that, under a tag of its own', async () => {
    const { ask } = lab({ page: folder })
    const plain = await ask('/assets/index-abc.js', open)
    const zipped = await ask('/assets/index-abc.js', { headers: { authorization: '', 'accept-encoding': 'gzip, br' } })
    expect(zipped.headers.get('content-encoding')).toBe('gzip')
    expect(gunzipSync(Buffer.from(await zipped.arrayBuffer())).toString()).toBe(script)
    expect(zipped.headers.get('etag')).not.toBe(plain.headers.get('etag'))
  })

  test('is not sent again to whoever has it', async () => {
    const { ask } = lab({ page: folder })
    for (const path of ['/', '/assets/index-abc.js']) {
      const etag = (await ask(path, open)).headers.get('etag') ?? ''
      const again = await ask(path, { headers: { authorization: '', 'if-none-match': etag } })
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
      const changed = await ask(path, { headers: { authorization: '', 'if-none-match': '"other"' } })
      expect(changed.status).toBe(200)
    }
  })

  const absent = [
    '/index.html',
    '/secret.txt',
    '/assets/../secret.txt',
    '/assets/..%2fsecret.txt',
    '/assets/%2e%2e%2fsecret.txt',
    '/assets/',
    '/assets/index-abc.js.map',
    '/assets/constructor',
  ]
  for (const path of absent) {
    test(`has nothing at ${path}`, async () => {
      const { status } = await lab({ page: folder }).ask(path, open)
      // What is no route at all asks for the token first.
      expect([401, 404]).toContain(status)
    })
  }

  test('takes no other method', async () => {
    const { ask } = lab({ page: folder })
    expect((await ask('/', { method: 'POST' })).status).toBe(405)
    const head = await ask('/', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  test('that a server does not have is a typed problem, which says how to get it', async () => {
    const response = await lab().ask('/', open)
    expect(await response.json()).toMatchObject({ status: 404, code: 'not_found', reason: 'page_missing' })
  })

  test('in a folder without one is refused at the start', () => {
    expect(() => lab({ page: join(folder, 'assets') })).toThrow(expect.objectContaining({ reason: 'page_missing' }))
  })
})

test('GET /v1/choices tells aliases, the default model and tools, and only to the owner', async () => {
  const { ask } = lab()
  expect(await (await ask('/v1/choices')).json()).toEqual({ aliases: {}, default_model: 'lab/scripted', tools: [] })
  expect((await ask('/v1/choices', open)).status).toBe(401)
})
