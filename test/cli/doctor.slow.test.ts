import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { Bench } from './runlet.ts'
import { withCli } from './runlet.ts'

const states = async (cli: Bench) => {
  const { stdout, status } = await cli.run(['doctor', '--json'])
  const { ok, findings } = JSON.parse(stdout)
  return {
    ok,
    status,
    states: Object.fromEntries(findings.map(({ name, state }: Record<string, string>) => [name, state])),
  }
}
const healthy = {
  node: 'ok',
  home: 'ok',
  config: 'absent',
  store: 'ok',
  token: 'ok',
  daemon: 'absent',
  openai: 'absent',
}

test.concurrent(
  'a fresh home lacks nothing that is needed',
  withCli(async (cli) => {
    expect(await cli.run(['doctor'], { env: { OLLAMA_HOST: '' } })).toMatchObject({ stderr: '', status: 0 })
  }),
)

test.concurrent(
  'a provider that was configured and does not answer is broken, with the fix',
  withCli(async (cli) => {
    expect(await states(cli)).toEqual({
      ok: false,
      status: 1,
      states: { ...healthy, ollama: 'broken', model: 'warning' },
    })
    const { stdout } = await cli.run(['doctor'])
    expect(stdout).toMatch(
      /\n✗ ollama +Ollama is not reachable at http:\/\/127\.0\.0\.1:9; start it with `ollama serve`/,
    )
  }),
)

test.concurrent(
  'a faulty file and a foreign store are broken',
  withCli(async (cli) => {
    writeFileSync(join(cli.home, 'runlet.toml'), 'x = 1')
    writeFileSync(join(cli.home, 'runlet.db'), 'x'.repeat(5000))
    expect((await states(cli)).states).toMatchObject({ config: 'broken', store: 'broken', token: 'ok' })
  }),
)

test.concurrent(
  'a token that others can read is broken',
  withCli(async (cli) => {
    await cli.run(['doctor'])
    execFileSync('chmod', ['644', join(cli.home, 'token')])
    expect((await states(cli)).states).toMatchObject({ token: 'broken' })
  }),
)

// One after the other: what is watched here is time.
test(
  '--url watches a stream arrive from the daemon itself, and its run is named for what it is',
  withCli(async (cli) => {
    await cli.serve()
    const { stdout, status } = await cli.run(['doctor', '--url'], { env: { OLLAMA_HOST: '' } })
    expect(stdout).toMatch(
      /\n✓ stream +\d+ events in \d+ reads from http:\S+, the first byte after \S+; three of four came within \S+ of the most punctual\n +gaps between reads \(50 ms were sent\): \d/,
    )
    expect(stdout).not.toMatch(/ url /)
    expect([status, (await cli.runs()).map(({ title }) => title)]).toEqual([
      0,
      ['runlet doctor: does this stream arrive as it is sent?'],
    ])
  }),
)

const hoarders: [name: string, headers: Record<string, string>, gzip: boolean, said: RegExp][] = [
  [
    'that tells its name',
    { via: '1.1 varnish (Varnish/7.1)' },
    false,
    /Varnish or Fastly, by the headers of the answer, /,
  ],
  ['that tells nothing', {}, false, /something on the way collects the stream/],
  [
    'that compresses',
    { server: 'nginx/1.26' },
    true,
    /nginx, by the headers of the answer, compresses the stream \(gzip\)/,
  ],
  [
    'that waits for all of it',
    { server: 'cloudflare', 'content-length': 'yes' },
    false,
    /Cloudflare, .* waits for the whole answer/,
  ],
]
for (const [name, headers, gzip, said] of hoarders) {
  test(
    `--url finds a hop ${name}, against the same stream without it`,
    withCli(async (cli) => {
      const { url } = await cli.serve()
      const proxy = await collectingProxy(url, { headers, gzip })
      const { stdout, status } = await cli.run(['doctor', '--json', '--url', proxy.url])
      await proxy.close()
      const { findings } = JSON.parse(stdout)
      const [direct, through] = findings.slice(-2)
      expect([direct.name, direct.state, through.name, through.state, status]).toEqual([
        'stream',
        'ok',
        'url',
        'broken',
        1,
      ])
      expect(through.text).toMatch(said)
      expect(through.text).toMatch(/which comes in time without it/)
      expect(through.fix).toMatch(/buffer|compress|do_stream/)
      expect(direct.stream.reads).toBeGreaterThan(10)
      expect(through.stream).toMatchObject({ events: direct.stream.events, reads: expect.any(Number) })
      expect(through.stream.held_ms).toBeGreaterThan(1_000)
    }),
  )
}

test.concurrent(
  '--url says what is wrong where no stream comes at all',
  withCli(async (cli) => {
    const seen = async (...args: string[]) => {
      const { stdout } = await cli.run(['doctor', '--json', '--url', ...args])
      return JSON.parse(stdout).findings.at(-1)
    }
    expect(await seen()).toMatchObject({ name: 'stream', state: 'broken', fix: 'start one: runlet serve' })
    expect(await seen('http://127.0.0.1:9')).toMatchObject({
      name: 'url',
      state: 'broken',
      text: expect.stringMatching(/^the Runlet server at http:\/\/127\.0\.0\.1:9 cannot be reached/),
    })
    const other = createServer((_, response) => response.end('hello'))
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    expect((await seen(`http://127.0.0.1:${port}`)).text).toMatch(/not as a Runlet server does/)
    await new Promise((resolve) => void other.close(resolve))
  }),
)

test.concurrent(
  'a home that lies below a file is named, with what is wrong with it',
  withCli(async (cli) => {
    const file = join(cli.home, 'file')
    writeFileSync(file, '')
    const { stdout, status } = await cli.run(['doctor', '--json'], { env: { RUNLET_HOME: join(file, 'home') } })
    const { findings } = JSON.parse(stdout)
    const broken = findings.filter(({ state }: { state: string }) => state === 'broken')
    expect(broken.map(({ name }: { name: string }) => name)).toEqual(['home', 'store', 'token', 'ollama'])
    expect(stdout).not.toContain('something inside Runlet failed')
    expect(broken[2].text).toMatch(/it lies below something that is no folder$/)
    expect(status).toBe(1)
  }),
)

/** A proxy as they stand in front of servers: it sends an answer on when it has the whole of it. */
async function collectingProxy(
  target: string,
  { headers: own, gzip }: { readonly headers: Readonly<Record<string, string>>; readonly gzip: boolean },
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => void pass(request, response))
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = request.method === 'POST' ? { body: await bytesOf(request) } : {}
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers
    const answer = await fetch(target + request.url, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...body,
    })
    const plain = Buffer.from(await answer.arrayBuffer())
    const whole = gzip ? gzipSync(plain) : plain
    const { 'content-length': length, ...rest } = own
    response.writeHead(answer.status, {
      ...rest,
      'content-type': answer.headers.get('content-type') ?? '',
      'x-run-id': answer.headers.get('x-run-id') ?? '',
      ...(gzip ? { 'content-encoding': 'gzip' } : {}),
      ...(length === undefined ? {} : { 'content-length': whole.length }),
    })
    // Without a length: `end` with a body would add one.
    response.write(whole)
    response.end()
  }
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}

async function bytesOf(request: AsyncIterable<Buffer>): Promise<Buffer<ArrayBuffer>> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  return Buffer.concat(pieces)
}
