/** The shape of the source: who imports whom, how large files are, what is public. Design is kept here, not by habit. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const repo = fileURLToPath(new URL('..', import.meta.url))

/** Whom each folder of `src` may import, besides itself. */
const layers: Readonly<Record<string, readonly string[]>> = {
  core: [],
  wire: ['core'],
  providers: ['core', 'wire'],
  logs: ['core', 'wire'],
  formats: ['core', 'wire'],
  engine: ['core'],
  client: ['core', 'wire'],
  tools: ['core'],
  wrappers: ['core'],
  servers: ['core', 'wire', 'formats', 'engine'],
  observe: ['core', 'engine'],
  terminal: ['core', 'client', 'wire'],
  shell: ['core', 'client', 'wire'],
  sim: ['core', 'wire'],
  testing: ['core', 'wire', 'engine', 'logs'],
  config: ['core'],
  cli: ['*'],
  'index.ts': ['core', 'engine'],
  'http.ts': ['core', 'engine', 'logs', 'servers'],
}

/** Folders that also run in a browser, and the files in them that do not. */
const browserFolders = new Set(['core', 'wire', 'client'])
const nodeOnly = new Set(['client/ipc.ts'])

/** Files that are the whole program of a thread: what they hold is the thread's. */
const threads = new Set(['logs/sqlite/writer.ts'])

/** Folders of alternatives: each has a table, and one line of it for each alternative. */
const tables = ['providers', 'formats', 'logs', 'tools', 'sim/apis', 'sim/scripts']

/** Folders whose every exported name is explained; the parts of a suite are its own affair. */
const documented = new Set(['core', 'wire', 'client', 'testing', 'index.ts', 'http.ts'])
const suiteParts = /^testing\/[a-z]+-suite-/

/**
 * The public names of each entry of `exports` in package.json, types included. A name that is added or taken away is
 * added or taken away here.
 */
const publicNames: Readonly<Record<string, readonly string[]>> = {
  '.': [
    'Batch',
    'Cursor',
    'Diagnostic',
    'Entry',
    'ErrorCode',
    'Limits',
    'Log',
    'Message',
    'Provider',
    'ProviderEvent',
    'Run',
    'RunEvent',
    'RunHeader',
    'RunView',
    'RunletError',
    'Runtime',
    'RuntimeOptions',
    'StartRequest',
    'Tool',
    'ToolContext',
    'Usage',
    'createRuntime',
    'emptyView',
    'fold',
    'formatCursor',
    'isRunletError',
    'outputText',
    'parseCursor',
    'textOf',
  ],
  './client': [
    'Batch',
    'Client',
    'ClientFollowOptions',
    'ClientOptions',
    'Cursor',
    'Entry',
    'ErrorCode',
    'FollowOptions',
    'FollowState',
    'Following',
    'Gap',
    'HttpClient',
    'HttpClientOptions',
    'Hub',
    'HubFromPortOptions',
    'HubOptions',
    'HubPort',
    'ModelList',
    'PortOptions',
    'RunChange',
    'RunEvent',
    'RunHeader',
    'RunMessage',
    'RunView',
    'RunletError',
    'Smooth',
    'SmoothOptions',
    'SmoothPush',
    'StartBody',
    'StartedRun',
    'Transport',
    'createClient',
    'createHub',
    'emptyView',
    'fold',
    'formatCursor',
    'hubFromPort',
    'isRunletError',
    'outputText',
    'parseCursor',
    'smooth',
  ],
  './client/worker': ['HubPort', 'PortOptions', 'serveHub'],
  './providers/openai-chat': ['OpenaiChatOptions', 'openaiChat'],
  './providers/ollama': ['OllamaOptions', 'ollama'],
  './logs/memory': ['Memory', 'MemoryLogOptions', 'memoryLog', 'sharedMemory'],
  './logs/sqlite': ['SqliteLogOptions', 'sqliteLog'],
  './wrappers': [
    'Account',
    'Amount',
    'BudgetOptions',
    'BudgetWrapper',
    'Candidate',
    'FallbackOptions',
    'Ledger',
    'MemoryLedgerOptions',
    'Price',
    'Prices',
    'RateLimitOptions',
    'RetryOptions',
    'SafetyOptions',
    'SafetyRule',
    'Spent',
    'Wrapper',
    'budgeted',
    'fallback',
    'memoryLedger',
    'rateLimited',
    'retrying',
    'safe',
  ],
  './errors': [
    'ErrorBody',
    'ErrorCode',
    'RunletError',
    'RunletErrorOptions',
    'codeOfStatus',
    'errorBody',
    'errorCodeOf',
    'errorCodes',
    'errorFromBody',
    'errorFromStatus',
    'isAuth',
    'isBadRequest',
    'isContentFiltered',
    'isErrorCode',
    'isExpired',
    'isNetwork',
    'isNotFound',
    'isOverloaded',
    'isRateLimited',
    'isRunletError',
    'isTimeout',
    'isTransient',
    'retryAfterMs',
    'statusCodes',
    'toRunletError',
  ],
  './tools': ['BoxOptions', 'boxTools', 'toolFactories'],
  './formats': ['FormatName', 'formats'],
  './http': [
    'EventReader',
    'HandlerOptions',
    'HttpServer',
    'HttpServerOptions',
    'Listening',
    'NdjsonOptions',
    'NodeHandler',
    'OverflowPolicy',
    'PrepareRequest',
    'ProviderHandlerOptions',
    'ReadStreamOptions',
    'RunHandler',
    'SseOptions',
    'Streams',
    'StreamsOptions',
    'createHttpServer',
    'createStreams',
    'ndjson',
    'ndjsonHandler',
    'nodeHandler',
    'preflight',
    'readNdjson',
    'readSse',
    'readStartRequest',
    'sendNdjson',
    'sendSse',
    'sse',
    'sseHandler',
    'universalHandler',
  ],
  './observe/metrics': ['Metrics', 'MetricsOptions', 'createMetrics'],
  './observe/spans': ['Spans', 'SpansOptions', 'createSpans'],
  './sim': ['Sim', 'SimOptions', 'createSim'],
  './testing/every-split': ['Decoded', 'chunked', 'decodeAll', 'everySplit', 'everyTruncation', 'everyTwoSplits'],
  './testing/fake-clock': ['FakeClock', 'fakeClock'],
  './testing/format-suite': ['FormatClient', 'FormatSuite', 'SuiteCase', 'formatCases'],
  './testing/log-suite': ['LogCase', 'LogPlace', 'logCases'],
  './testing/provider-suite': [
    'ExpectedAnswer',
    'ExpectedFailure',
    'ProviderSuite',
    'RecordedRefusal',
    'Recording',
    'SuiteCase',
    'providerCases',
  ],
  './testing/scripted-provider': [
    'Script',
    'ScriptLine',
    'ScriptedProvider',
    'cutOff',
    'says',
    'scriptedProvider',
    'usage',
  ],
}

interface Source {
  /** Relative to `src`, with `/`. */
  readonly path: string
  /** The folder below `src`, or the file name of one that lies in `src` itself. */
  readonly layer: string
  readonly text: string
}

const sources = sourcesIn('')

function sourcesIn(folder: string): Source[] {
  return readdirSync(join(repo, 'src', folder), { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name)
      if (entry.isDirectory()) return sourcesIn(path)
      return [{ path, layer: path.split('/')[0]!, text: readFileSync(join(repo, 'src', path), 'utf8') }]
    })
}

/** The modules that a source asks for, statically, by `import()`, or as a type. */
function importsOf(text: string): string[] {
  const code = text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '')
  const found = [
    ...code.matchAll(/^(?:import|export)\b(?:[^'"();]*?\bfrom\s*)?\s*(['"])([^'"]+)\1/gm),
    ...code.matchAll(/\bimport\(\s*(['"])([^'"]+)\1/g),
  ]
  return found.map(([, , specifier]) => specifier!)
}

/** What a source may not import, as `from -> to`. */
function trespasses({ path, layer, text }: Source): string[] {
  const allowed = layers[layer] ?? []
  return importsOf(text).flatMap((specifier) => {
    const wrong = `${path} -> ${specifier}`
    if (builtinModules.includes(specifier) || specifier.startsWith('node:')) {
      return browserFolders.has(layer) && !nodeOnly.has(path) ? [wrong] : []
    }
    if (!specifier.startsWith('.')) return []
    if (!/\.(?:ts|json)$/.test(specifier)) return [wrong]
    const target = posix.join(posix.dirname(path), specifier)
    const targetLayer = target.split('/')[0]!
    return targetLayer === layer || allowed.includes(targetLayer) || allowed.includes('*') ? [] : [wrong]
  })
}

/** Lines of all sources that hold a pattern, as `path:line`. */
function linesWith(pattern: RegExp, among: readonly Source[] = sources): string[] {
  return among.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  )
}

describe('layers', () => {
  test('every folder of src has its place in the table', () => {
    expect([...new Set(sources.map(({ layer }) => layer))].filter((layer) => !layers[layer])).toEqual([])
  })

  test('CONTRIBUTING.md shows the same table', () => {
    const page = readFileSync(join(repo, 'CONTRIBUTING.md'), 'utf8')
    const rows = page.matchAll(/^\| ((?:`[a-z]+`(?:, )?)+) \| .* \| (.*) \|$/gm)
    const shown = [...rows].flatMap(([, folders, allowed]) =>
      folders!.split(', ').map((folder) => [folder.replaceAll('`', ''), allowed!.split(', ')]),
    )
    const words: Readonly<Record<string, string>> = { '': 'nothing', '*': 'everything' }
    const meant = Object.entries(layers)
      .filter(([layer]) => !layer.endsWith('.ts'))
      .map(([layer, allowed]) => [layer, (allowed.length > 0 ? allowed : ['']).map((one) => words[one] ?? one)])
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(meant))
  })

  test('a file imports only from the layers below its own', () => {
    expect(sources.flatMap(trespasses)).toEqual([])
  })

  test('nothing imports the command line', () => {
    const importers = sources.filter(({ layer }) => layer !== 'cli')
    expect(linesWith(/from '[^']*\/cli\//, importers)).toEqual([])
  })

  test('what runs in a browser uses nothing that only Node has', () => {
    const shared = sources.filter(({ path, layer }) => browserFolders.has(layer) && !nodeOnly.has(path))
    expect(linesWith(/^(?!\s*(?:\/\/|\/?\*)).*\b(?:Buffer|process|setImmediate|require)[.(]/, shared)).toEqual([])
  })

  test('the check sees what it is to see', () => {
    const source = (path: string, text: string): Source => ({ path, layer: path.split('/')[0]!, text })
    const wrong = [
      source('core/a.ts', "import { x } from '../wire/lines.ts'"),
      source('core/a.ts', "import type {\n  X,\n  Y,\n} from '../engine/run.ts'"),
      source('core/a.ts', "export { x } from '../formats/gai.ts'"),
      source('core/a.ts', "import { readFileSync } from 'node:fs'"),
      source('wire/a.ts', "import fs from 'fs'"),
      source('client/a.ts', "const x = await import('node:net')"),
      source('engine/a.ts', "const x = await import('../logs/memory.ts')"),
      source('engine/a.ts', "type X = import('../providers/openai-chat.ts').X"),
      source('engine/a.ts', "import '../logs/index.ts'"),
      source('tools/a.ts', "import { x } from '../core/tool'"),
      source('index.ts', "export { main } from './cli/main.ts'"),
    ]
    expect(wrong.filter((one) => trespasses(one).length !== 1)).toEqual([])
    const right = [
      source('core/a.ts', "/**\n * import { x } from '../wire/lines.ts'\n */\n// import 'node:fs'"),
      source('logs/a.ts', "import { x } from '../core/log.ts'\nimport { y } from './b.ts'\nimport fs from 'node:fs'"),
      source('client/ipc.ts', "import { connect } from 'node:net'"),
      source('cli/a.ts', "import { x } from '../sim/serve.ts'"),
      source('servers/http/a.ts', "import { Hono } from 'hono'\nimport { x } from '../../engine/runtime.ts'"),
    ]
    expect(right.flatMap(trespasses)).toEqual([])
  })
})

describe('files', () => {
  test('have one subject: at most 400 lines', () => {
    const long = sources.map(({ path, text }) => `${path}: ${text.split('\n').length - 1}`)
    expect(long.filter((line) => Number(line.split(': ')[1]) > 400)).toEqual([])
  })

  test('are named in kebab-case', () => {
    expect(sources.filter(({ path }) => !/^(?:[a-z0-9]+(?:-[a-z0-9]+)*[/.])+ts$/.test(path))).toEqual([])
  })

  test('export by name, one by one', () => {
    expect(linesWith(/^export (?:default\b|\*)/)).toEqual([])
  })

  test('hold no state of their own', () => {
    const modules = sources.filter(({ path }) => !threads.has(path))
    expect(linesWith(/^(?:export )?(?:let|var) /, modules)).toEqual([])
  })

  test('print only where printing is the task', () => {
    const others = sources.filter(({ layer }) => layer !== 'cli')
    expect(linesWith(/^(?!\s*(?:\/\/|\/?\*)).*\bconsole\./, others)).toEqual([])
  })

  test('leave nothing to be done later', () => {
    expect(linesWith(/\b(?:TODO|FIXME|XXX|HACK)\b/)).toEqual([])
  })

  test('named index.ts are the front door or a table, never a barrel', () => {
    const indexes = sources.filter(({ path }) => posix.basename(path) === 'index.ts')
    const folders = indexes.map(({ path }) => posix.dirname(path)).filter((folder) => folder !== '.')
    expect(folders.filter((folder) => !tables.includes(folder))).toEqual([])
    expect(
      linesWith(
        /^export (?:type )?\{.*from /,
        indexes.filter(({ path }) => path !== 'index.ts'),
      ),
    ).toEqual([])
  })
})

describe('tables', () => {
  for (const folder of tables.filter((one) => existsSync(join(repo, 'src', one)))) {
    test(`src/${folder}/index.ts is a plain object that the compiler checks`, () => {
      const table = sources.find(({ path }) => path === `${folder}/index.ts`)
      expect(table?.text).toMatch(
        /^export const \w+(?:: .* = [[{]| = (?:\{[^]*?\}|\[[^]*?\]) (?:as const )?satisfies )/m,
      )
    })
  }
})

describe('public names', () => {
  const manifest: { exports: Record<string, string> } = JSON.parse(readFileSync(join(repo, 'package.json'), 'utf8'))
  const entries = Object.entries(manifest.exports).filter(([, target]) => target.endsWith('.js'))

  test('every entry of the package is listed here, and none besides', () => {
    expect(Object.keys(publicNames).toSorted()).toEqual(entries.map(([entry]) => entry).toSorted())
  })

  for (const [entry, target] of entries) {
    test(`"${entry}" gives what is listed here, and nothing else`, () => {
      const path = target.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts')
      const source = sources.find((one) => one.path === path)
      expect(exportedNames(source?.text ?? '').toSorted()).toEqual(publicNames[entry])
    })
  }
})

function exportedNames(text: string): string[] {
  const own = text.matchAll(
    /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|class|interface|type|enum) (\w+)/gm,
  )
  const listed = text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)
  return [
    ...[...own].map(([, name]) => name!),
    ...[...listed].flatMap(([, names]) =>
      names!
        .split(',')
        .map((name) => /(\w+)\s*$/.exec(name.trim())?.[1])
        .filter((name) => name !== undefined),
    ),
  ]
}

test('every name that others build on says what it is', () => {
  const silent = sources
    .filter(({ path, layer }) => documented.has(layer) && !suiteParts.test(path))
    .flatMap(({ path, text }) => {
      const lines = text.split('\n')
      return lines.flatMap((line, i) => {
        const name = /^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/.exec(line)?.[1]
        return name && !lines[i - 1]?.trimEnd().endsWith('*/') ? [`${path}: ${name}`] : []
      })
    })
  expect(silent).toEqual([])
})

test('no file names a machine, its folders or its registry', () => {
  const skipped = new Set(['node_modules', 'dist', 'dist-bench', '.git', 'coverage', 'results', '.runlet'])
  const files = (folder: string): string[] =>
    readdirSync(join(repo, folder), { withFileTypes: true })
      .filter(({ name }) => !skipped.has(name))
      .flatMap((entry) => {
        const path = posix.join(folder, entry.name)
        return entry.isDirectory() ? files(path) : [path]
      })
  const named = files('').flatMap((path) => {
    // This file spells the patterns.
    if (path === 'test/shape.test.ts' || !/\.(?:ts|js|json|md|toml|yml|html|css)$|^\.ci\/run$|^\.[a-z]+rc/.test(path))
      return []
    const text = readFileSync(join(repo, path), 'utf8')
    const hit =
      /(?:^|[\s"'`(=:])\/(?:work|root|home\/(?!user\b|you\b)\w+|Users\/\w+)\/|"resolved":|registry=http/m.exec(text)
    return hit ? [`${path}: ${hit[0].trim()}`] : []
  })
  expect(named).toEqual([])
})

const kept = spawnSync('git', ['-c', 'safe.directory=*', 'ls-files', '--cached', '--ignored', '--exclude-standard'], {
  cwd: repo,
  encoding: 'utf8',
})
test.skipIf(kept.status !== 0)('nothing that is built or ignored is in the repository', () => {
  expect(kept.stdout.split('\n').filter((path) => path !== '')).toEqual([])
})
