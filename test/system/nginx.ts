import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './packages.ts'

/** Where the programs are; a suite that needs them is skipped where one is undefined. */
export const nginxPath = findProgram('nginx')
export const opensslPath = findProgram('openssl')

export interface Nginx {
  readonly port: number
  /** What stands in a file below its prefix. */
  read(name: string): string
  stop(): Promise<void>
}

/** Where a configuration finds what is its own. */
export interface Site {
  readonly port: number
  readonly prefix: string
}

/** The user that is nobody, whom a test that runs as root lets nginx run as. */
const NOBODY = 65_534

/** Starts nginx as an unprivileged process on a port of its own, with what `site` says inside of `http { }`. */
export async function startNginx(site: (place: Site) => string): Promise<Nginx> {
  if (nginxPath === undefined) throw new Error('there is no nginx here: skip the suite where nginxPath is undefined')
  const prefix = mkdtempSync(join(tmpdir(), 'runlet-nginx-'))
  const port = await freePort()
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${prefix}/${name};`,
  )
  writeFileSync(
    join(prefix, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${prefix}/pid; error_log ${prefix}/error.log info;
events { worker_connections 256; }
http {
  ${folders.join(' ')}
  access_log off;
  ${site({ port, prefix })}
}
`,
  )
  const isRoot = process.getuid?.() === 0
  if (isRoot) chownSync(prefix, NOBODY, NOBODY)
  else chmodSync(prefix, 0o700)
  const child = spawn(nginxPath, ['-p', prefix, '-c', join(prefix, 'nginx.conf'), '-e', join(prefix, 'error.log')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const gone = new Promise<void>((resolve) => void child.once('exit', () => resolve()))
  const stop = async () => {
    if (child.exitCode === null) child.kill('SIGTERM')
    await gone
    rmSync(prefix, { recursive: true, force: true, maxRetries: 3 })
  }
  while (child.exitCode === null && !(await accepts(port)));
  if (child.exitCode !== null) {
    await stop()
    throw new Error(`nginx did not start: ${said}`)
  }
  return { port, read: (name) => readFileSync(join(prefix, name), 'utf8'), stop }
}

/** A certificate for one name, good for this test: paths of the certificate and its key. */
export function selfSigned(prefix: string, name: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(prefix, 'cert.pem'), join(prefix, 'key.pem')]
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const made = spawnSync(opensslPath!, [...args, ...subject, '-keyout', key, '-out', cert], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`)
  chmodSync(key, 0o644)
  return { cert, key }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => void server.close(resolve))
  return port
}

/** Whether somebody listens there. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // For a turn, so that whoever has to start gets one.
    socket.once('error', () => void setImmediate(() => resolve(false)))
  })
}
