/** `doctor --url` against a real nginx: with its defaults a stream comes in time; where it collects, it is named. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findProgram } from '../system/packages.ts'
import { withCli } from './runlet.ts'

const nginx = findProgram('nginx')

const cases: [name: string, settings: string, state: string, said: RegExp][] = [
  ['with its defaults', '', 'ok', /three of four came within/],
  [
    'with compression for everything',
    'gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any;',
    'ok',
    /content-encoding: gzip/,
  ],
  [
    // Its buffers alone let slow streams pass; its compressor keeps what it has until there is enough.
    'that compresses, and ignores what it is asked for',
    'proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any;',
    'broken',
    /nginx, by the headers of the answer, compresses the stream \(gzip\) and so collects it, which comes in time without it/,
  ],
]
for (const [name, settings, state, said] of cases) {
  test.skipIf(nginx === undefined)(
    `nginx ${name}: ${state}`,
    withCli(async (cli) => {
      const port = await freePort()
      const { url } = await cli.serve(['--name', `127.0.0.1:${port}`])
      const proxy = await startNginx(cli.home, { port, target: url, settings })
      const { stdout } = await cli.run(['doctor', '--json', '--url', `http://127.0.0.1:${port}`])
      await proxy.stop()
      const [direct, through] = JSON.parse(stdout).findings.slice(-2)
      expect([direct.state, through.name, through.state]).toEqual(['ok', 'url', state])
      expect(through.text).toMatch(said)
      if (state === 'broken') expect(through.fix).toMatch(/^nginx: .*proxy_buffering off/)
    }),
  )
}

async function startNginx(
  home: string,
  { port, target, settings }: { readonly port: number; readonly target: string; readonly settings: string },
) {
  const folder = join(home, 'nginx')
  mkdirSync(folder)
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
     ${process.getuid?.() === 0 ? 'user root;' : ''}
     events {}
     http {
       access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
       fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       server {
         listen 127.0.0.1:${port};
         location / { proxy_pass ${target}; proxy_http_version 1.1; proxy_set_header Host $http_host; ${settings} }
       }
     }`,
  )
  const child = spawn(nginx!, ['-c', file, '-p', folder, '-e', join(folder, 'error.log')], { stdio: 'ignore' })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  await answers(port, gone)
  return {
    async stop() {
      child.kill('SIGTERM')
      await gone
    },
  }
}

/** Until somebody listens there, or will not. */
async function answers(port: number, gone: Promise<unknown>): Promise<void> {
  let over = false
  void gone.then(() => (over = true))
  for (;;) {
    const status = await fetch(`http://127.0.0.1:${port}/healthz`).then(
      (response) => response.status,
      () => undefined,
    )
    if (status !== undefined) return
    if (over) throw new Error('nginx left at once; its error.log says why')
    await new Promise((resolve) => void setImmediate(resolve))
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => void server.close(resolve))
  return port
}
