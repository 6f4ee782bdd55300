/** What `npm publish` would publish, unpacked as its users get it. Needs the build that `npm test` makes first. */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSim } from '../src/sim/sim.ts'

const repo = fileURLToPath(new URL('..', import.meta.url))
const manifest: { version: string; bin: Record<string, string>; exports: Record<string, string> } = JSON.parse(
  readFileSync(join(repo, 'package.json'), 'utf8'),
)

/** The folder of somebody who installed it. */
let user: string
let files: string[]

beforeAll(() => {
  user = mkdtempSync(join(tmpdir(), 'runlet-package-'))
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', user], {
    cwd: repo,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ filename, files: entries }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }]
  files = entries.map(({ path }) => path)
  mkdirSync(join(user, 'node_modules/runlet'), { recursive: true })
  execFileSync('tar', ['-xzf', join(user, filename), '-C', join(user, 'node_modules/runlet'), '--strip-components=1'])
  // Its dependencies are those of this checkout: nothing is fetched.
  symlinkSync(join(repo, 'node_modules'), join(user, 'node_modules/runlet/node_modules'))
})
afterAll(() => rmSync(user, { recursive: true, force: true }))

describe('the package', () => {
  test('holds the build, its documents, and nothing else', () => {
    const built = /^dist\/(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*(?:\.js|\.d\.ts)$/
    const page = /^dist\/web\/(?:index\.html|assets\/[\w.-]+\.(?:js|css|svg))$/
    const others = files.filter((path) => !built.test(path) && !page.test(path))
    expect(others.toSorted()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'PROTOCOL.md',
      'README.md',
      ...others.filter((path) => /^(?:docs|examples)\//.test(path)).toSorted(),
      'package.json',
    ])
  })

  test('holds nothing that has no source any more; if it does, remove dist and build again', () => {
    const modules = files.filter((path) => /^dist\/(?!web\/).*\.js$/.test(path))
    const source = (path: string) => join(repo, path.replace(/^dist\//, 'src/').replace(/\.js$/, '.ts'))
    expect(modules.filter((path) => !existsSync(source(path)))).toEqual([])
    expect(modules.filter((path) => !files.includes(path.replace(/\.js$/, '.d.ts')))).toEqual([])
    expect(modules.length).toBeGreaterThan(50)
  })

  test('holds the page', () => {
    expect(files).toContain('dist/web/index.html')
  })

  test('names every file that its manifest names', () => {
    const named = [...Object.values(manifest.exports), ...Object.values(manifest.bin)].map((path) =>
      path.replace('./', ''),
    )
    expect(named.filter((path) => !files.includes(path))).toEqual([])
  })
})

describe('whoever installs it', () => {
  const run = (script: string) =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: user, encoding: 'utf8' })

  for (const entry of Object.keys(manifest.exports).filter((name) => !name.endsWith('.json'))) {
    const specifier = `runlet${entry.slice(1)}`
    test(`can import ${specifier}, which prints nothing and keeps nothing alive`, () => {
      expect(
        run(
          `const names = Object.keys(await import('${specifier}')); if (names.length === 0) throw new Error('empty')`,
        ),
      ).toBe('')
    })
  }

  test('can store runs from a program that is given with -e', () => {
    const program = `
      import { sqliteLog } from 'runlet/logs/sqlite'
      const log = await sqliteLog('given.db')
      console.log(await log.prune({ maxBytes: 0 }))
      await log.close()`
    expect(run(program)).toBe('{ runs: 0, bytes: 0 }\n')
  })

  test('cannot import what is not public', () => {
    expect(() => run("await import('runlet/dist/engine/run.js')")).toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })

  test('can run the program of the README, as it stands there', async () => {
    const page = readFileSync(join(repo, 'README.md'), 'utf8')
    const program = /^Save it as `ask\.mjs`[^\n]*\n\n```js\n(.*?)^```/ms.exec(page)![1]!
    const sim = await createSim()
    try {
      // Only where the model is differs: the simulator answers for OpenAI.
      const key = 'apiKey: process.env.OPENAI_API_KEY'
      expect(program).toContain(key)
      const here = program.replace(key, `${key}, baseUrl: '${sim.url}/v1'`).replaceAll('gpt-5-mini', 'echo')
      writeFileSync(join(user, 'first.mjs'), here)
      const { stdout } = await promisify(execFile)(process.execPath, ['first.mjs'], {
        cwd: user,
        env: { ...process.env, OPENAI_API_KEY: 'sim' },
      })
      expect(stdout).toBe('Why is the sky blue?')
    } finally {
      await sim.close()
    }
  })

  for (const [name, path] of Object.entries(manifest.bin)) {
    test(`can run ${name}`, () => {
      const program = join(user, 'node_modules/runlet', path)
      expect(readFileSync(program, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node')
      // npm makes a program executable when it installs it; a checkout that is linked has only the mode of the build.
      expect(statSync(program).isFile()).toBe(true)
      expect(execFileSync(process.execPath, [program, '--version'], { cwd: user, encoding: 'utf8' })).toBe(
        `${manifest.version}\n`,
      )
    })
  }
})
