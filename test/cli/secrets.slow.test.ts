/** A key and a token in every place where they can come from; then everything that the daemon said is searched. */
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withCli } from './runlet.ts'

const KEY = 'sk-canary-7Qx9/+secret"key=='

/** A model API that repeats the key it was sent wherever an answer has room for it. */
const repeats: ((response: ServerResponse, key: string) => void)[] = [
  (response, key) => {
    response.writeHead(401, { 'content-type': 'application/json', 'x-echo': encodeURIComponent(key) })
    response.end(JSON.stringify({ error: { message: `Incorrect API key provided: ${key}`, code: 'invalid_api_key' } }))
  },
  (response, key) => {
    response.writeHead(500, { 'content-type': 'text/html' })
    response.end(`<h1>${key}</h1> ${Buffer.from(key).toString('base64')}`)
  },
  (response, key) => {
    response.writeHead(307, { location: `https://elsewhere.example/?key=${encodeURIComponent(key)}` })
    response.end()
  },
  (response, key) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(`data: {"error":{"message":${JSON.stringify(JSON.stringify({ key }))}}}\n\n`)
  },
  (response, key) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(`data: not json ${key}\n\n`)
  },
  (response, key) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n`)
    response.destroy(new Error(key))
  },
  (response, key) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': key.replaceAll(/[^\w-]/g, '') })
    response.end()
  },
]

const spellings = (secret: string): string[] => {
  const bytes = Buffer.from(secret)
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    bytes.toString('hex'),
    bytes.toString('base64').slice(0, 24),
    Buffer.from(`Bearer ${secret}`).toString('base64').slice(12, 36),
  ]
}

const found = (text: string, secret: string) => spellings(secret).filter((spelling) => text.includes(spelling))

test.concurrent(
  'neither a provider’s key nor the token ever reaches a log, a figure, or an error',
  withCli(async (cli) => {
    let call = 0
    const provider = createServer((request: IncomingMessage, response) => {
      const key = (request.headers.authorization ?? '').replace(/^Bearer /, '')
      repeats[call++ % repeats.length]!(response, key)
    })
    await new Promise<void>((resolve) => void provider.listen(0, '127.0.0.1', resolve))
    const { port } = provider.address() as { port: number }
    const env = { OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1` }
    const daemon = await cli.serve(['--log-level', 'debug', '--drain', '0'], { env })
    const token = readFileSync(join(cli.home, 'token'), 'utf8').trim()
    const ask = (path: string, headers: Record<string, string> = {}, body?: object) =>
      fetch(daemon.url + path, {
        method: body ? 'POST' : 'GET',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })

    let told = ''
    for (let n = 0; n < 2 * repeats.length; n++) {
      const answer = await ask('/v1/runs', { accept: 'text/event-stream' }, { model: 'openai/m', prompt: 'x' })
      told += await answer.text()
    }
    await ask('/v1/models')
    for (const secret of [token, encodeURIComponent(KEY)]) {
      await ask(`/v1/runs/${secret}`)
      await ask(`/${secret}?token=${secret}`)
      await ask('/v1/runs', { 'x-request-id': secret, 'user-agent': secret, referer: `http://x/${secret}` })
      await ask('/healthz', { authorization: `Bearer x${secret}` })
      await ask('/healthz', {
        cookie: `session=${secret}`,
        origin: `https://${secret.toLowerCase().replaceAll(/\W/g, '')}.example`,
      })
    }
    const figures = await (await ask('/metrics')).text()
    expect(figures).toMatch(/^runlet_provider_errors_total\{/m)
    daemon.child.kill('SIGTERM')
    const { stdout, stderr } = await daemon.done
    provider.close()

    // There was something to find: each way was gone, and the log tells of it.
    expect(call).toBeGreaterThanOrEqual(2 * repeats.length)
    expect(stderr).toContain('[redacted]')
    for (const text of [stdout, stderr, figures, told]) expect([...found(text, KEY), ...found(text, token)]).toEqual([])
    for (const line of stderr.split('\n').slice(0, -1)) expect(JSON.parse(line)).toHaveProperty('code')
  }),
)
