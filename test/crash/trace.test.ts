import { expect, test } from 'vitest'
import { powerCuts } from './power-cut.ts'
import type { Rules } from './trace.ts'
import { judge, parseTrace } from './trace.ts'

const rules: Rules = {
  isStore: (path) => path === '/d/runs.db' || path === '/d/runs.db-wal',
  isClient: ({ target }) => target.startsWith('TCP:'),
  stored: /"seq":(\d+),/g,
  delivered: /^id: 1-(\d+)\n/gm,
  fresh: false,
}

const WAL = '25</d/runs.db-wal>'
const CLIENT = '31<TCP:[127.0.0.1:7411->127.0.0.1:50312]>'

const write = (seq: number, offset: number) =>
  String.raw`11  pwrite64(${WAL}, "\0\1\377{\"type\":\"text.delta\",\"seq\":${seq},\"text\":\"\303\244\"}\n", 42, ${offset}) = 42`
const sync = `11  fdatasync(${WAL}) = 0`
const send = (seq: number) => String.raw`10  write(${CLIENT}, "id: 1-${seq}\ndata: {}\n\n", 18) = 18`

const early = (lines: readonly string[]) => judge(parseTrace(lines.join('\n')), rules).early.map(({ entry }) => entry)

const traces: [what: string, lines: string[], early: string[]][] = [
  ['written, synced, sent', [write(1, 0), sync, send(1)], []],
  ['sent before it was synced', [write(1, 0), send(1), sync], ['1']],
  ['never synced', [write(1, 0), send(1)], ['1']],
  ['never written', [sync, send(1)], ['1']],
  ['synced before it was written', [sync, write(1, 0), send(1)], ['1']],
  ['another file synced', [write(1, 0), '11  fdatasync(24</d/runs.db>) = 0', send(1)], ['1']],
  ['a sync that failed', [write(1, 0), `11  fsync(${WAL}) = -1 EIO (Input/output error)`, send(1)], ['1']],
  [
    'sent while the sync was under way',
    [write(1, 0), `11  fdatasync(${WAL} <unfinished ...>`, send(1), '11  <... fdatasync resumed>) = 0', send(2)],
    ['1', '2'],
  ],
  [
    'written while the sync was under way',
    [`11  fdatasync(${WAL} <unfinished ...>`, write(1, 0), '11  <... fdatasync resumed>) = 0', send(1)],
    ['1'],
  ],
  [
    'the sync under way when it was written, and another one',
    [`11  fdatasync(${WAL} <unfinished ...>`, write(1, 0), '11  <... fdatasync resumed>) = 0', sync, send(1)],
    [],
  ],
  [
    'two entries in one write of several parts, one of them not stored',
    [
      write(1, 0),
      sync,
      String.raw`10  writev(${CLIENT}, [{iov_base="id: 1-1\n", iov_len=8}, {iov_base="\nid: 1-2\n", iov_len=9}], 2) = 17`,
    ],
    ['2'],
  ],
  [
    'a name that is cut in two by writes of one client, among those of another',
    [
      write(12, 0),
      String.raw`10  write(${CLIENT}, "id: 1-1", 7) = 7`,
      '10  write(32<TCP:[127.0.0.1:7411->127.0.0.1:50313]>, "x", 1) = 1',
      String.raw`10  write(${CLIENT}, "2\n\n", 3) = 3`,
    ],
    ['12'],
  ],
]

for (const [what, lines, expected] of traces) {
  test(`a trace is judged: ${what}`, () => {
    expect(early(lines)).toEqual(expected)
  })
}

test('a name of the store is durable once its folder was synced', () => {
  const open = `11  openat(AT_FDCWD</>, "/d/runs.db-wal", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = ${WAL}`
  const folder = '11  fsync(26</d>) = 0'
  const judged = (lines: string[]) => judge(parseTrace(lines.join('\n')), { ...rules, fresh: true }).early.length
  expect(judged([open, folder, write(1, 0), sync, send(1)])).toBe(0)
  expect(judged([open, write(1, 0), sync, folder, send(1)])).toBe(0)
  expect(judged([open, write(1, 0), sync, send(1), folder])).toBe(1)
  expect(judged([folder, open, write(1, 0), sync, send(1)])).toBe(1)
})

test('a trace whose strings were cut short is refused', () => {
  expect(() => parseTrace(`11  pwrite64(${WAL}, "abc"..., 4096, 0) = 4096`)).toThrow('-s')
})

test('a power cut takes what no sync had covered, in the way that is asked for', () => {
  const lines = [
    `11  openat(AT_FDCWD</>, "/d/runs.db-wal", O_RDWR|O_CREAT, 0600) = ${WAL}`,
    `11  pwrite64(${WAL}, "aaaa", 4, 0) = 4`,
    sync,
    `11  pwrite64(${WAL}, "bb", 2, 3) = 2`,
    `11  pwrite64(${WAL}, "cc", 2, 6) = 2`,
    send(1),
    `11  ftruncate(${WAL}, 2) = 0`,
  ]
  const calls = parseTrace(lines.join('\n'))
  const cuts = [...powerCuts(calls, judge(calls, rules).delivered, rules.isStore)]
  const seen = (survival: (bytes: number) => number) =>
    cuts.map((cut) => cut.files(survival).get('/d/runs.db-wal')?.toString())
  expect(cuts.map(({ delivered }) => delivered)).toEqual([[], [], ['1'], ['1']])
  expect(seen(() => 0)).toEqual(['', 'aaaa', 'aaaa', 'aaaa'])
  expect(seen((bytes) => bytes)).toEqual(['', 'aaaa', 'aaabb\0cc', 'aa'])
  expect(seen((bytes) => Math.min(bytes, 1))).toEqual(['', 'aaaa', 'aaab\0\0c', 'aa'])
})
