import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { join } from 'node:path'
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

test.concurrent(
  '--through watches a stream arrive, and notices a hop that collects it',
  withCli(async (cli) => {
    const { url } = await cli.serve()
    const through = await cli.run(['doctor', '--through'])
    expect(through.stdout).toMatch(/\n✓ stream +\d+ events in \d+ reads from http:\S+, none held back/)
    const proxy = await collectingProxy(url)
    const held = await cli.run(['doctor', '--through', proxy.url])
    await proxy.close()
    expect(held.stdout).toMatch(
      /\n✗ stream +\d+ events in \d+ reads from http:\S+, held back by up to .+: something on the way collects the stream; the answer says via: 1\.1 hoarder\n/,
    )
    expect(held.status).toBe(1)
  }),
)

/** A proxy as they stand in front of servers: it sends an answer on when it has the whole of it. */
async function collectingProxy(target: string): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => void pass(request, response))
  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = request.method === 'POST' ? { body: await bytesOf(request) } : {}
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers
    const answer = await fetch(target + request.url, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...body,
    })
    const whole = Buffer.from(await answer.arrayBuffer())
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '', via: '1.1 hoarder' })
    response.end(whole)
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
