/** Programs of the system that single tests need: a browser, a proxy, a store. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What each program is called by those who ship it, and the package of Debian that brings it. */
const programs = {
  chromium: { names: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'], package: 'chromium' },
  nginx: { names: ['nginx'], package: 'nginx' },
  openssl: { names: ['openssl'], package: 'openssl' },
  'redis-server': { names: ['redis-server'], package: 'redis-server' },
} as const satisfies Record<string, { readonly names: readonly string[]; readonly package: string }>

export type ProgramName = keyof typeof programs

/** Found or not, each is looked for once. */
const known = new Map<ProgramName, string | undefined>()

/**
 * The path of a program. Where it is missing, and the tests run as root on Debian (a container, a CI machine), it is
 * installed once. Undefined if it cannot be had: then the suite skips itself, and a line on stderr says how to enable
 * it. `RUNLET_TEST_INSTALL=0` forbids the installing.
 */
export function findProgram(name: ProgramName): string | undefined {
  if (!known.has(name)) known.set(name, onPath(name) ?? installed(name))
  return known.get(name)
}

function installed(name: ProgramName): string | undefined {
  const { package: needed } = programs[name]
  if (mayInstall()) {
    // Other threads of the test run may install too: apt waits for its lock, and then finds it done.
    apt(['update', '-qq'])
    apt(['install', '-y', '-qq', '--no-install-recommends', needed])
  }
  const path = onPath(name)
  if (path === undefined) {
    console.warn(
      `The tests that need ${name} are skipped. To enable them: apt-get install ${needed}, or put it on PATH`,
    )
  }
  return path
}

const mayInstall = () =>
  process.env['RUNLET_TEST_INSTALL'] !== '0' && process.getuid?.() === 0 && existsSync('/etc/debian_version')

function apt(args: readonly string[]): void {
  spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: 'ignore',
    timeout: 240_000,
  })
}

function onPath(name: ProgramName): string | undefined {
  // Servers lie in sbin, which is not on everybody's PATH.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin']
  const candidates = programs[name].names.flatMap((file) =>
    folders.filter((folder) => folder !== '').map((folder) => join(folder, file)),
  )
  return candidates.find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
