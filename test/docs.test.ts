import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createProgram } from '../src/cli/program.ts'

const repo = fileURLToPath(new URL('..', import.meta.url))
const pages = [
  ...readdirSync(repo).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(repo, 'docs')).flatMap((name) => (name.endsWith('.md') ? [join('docs', name)] : [])),
]

/** The anchor that a forge gives a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-')

const headings = (page: string): Set<string> => {
  const text = readFileSync(join(repo, page), 'utf8').replaceAll(/^```.*?^```/gms, '')
  return new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading!)))
}

test('every link between the documents leads to something that is there', () => {
  const links = pages.flatMap((page) => {
    const text = readFileSync(join(repo, page), 'utf8')
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => ({ page, link: link! }))
  })
  const inside = links.filter(({ link }) => !/^[a-z]+:/.test(link))
  const dead = inside.filter(({ page, link }) => {
    const [path, fragment] = link.split('#') as [string, string?]
    const target = path === '' ? page : relative(repo, join(repo, dirname(page), path))
    if (target.startsWith('..') || !existsSync(join(repo, target))) return true
    return fragment !== undefined && !headings(target).has(fragment)
  })
  expect(dead).toEqual([])
  expect(inside.length).toBeGreaterThan(15)
})

test('every page of docs/ can be found from the README', () => {
  const readme = readFileSync(join(repo, 'README.md'), 'utf8')
  expect(pages.filter((page) => page.startsWith('docs') && !readme.includes(`(${page})`))).toEqual([])
})

test('the README lists every command, and nothing that is none', () => {
  const readme = readFileSync(join(repo, 'README.md'), 'utf8')
  const listed = [...readme.matchAll(/^\| `runlet (\w+)[^|]*` \|/gm)].map(([, name]) => name!)
  const known = createProgram()
    .commands.map((command) => command.name())
    .filter((name) => name !== 'help')
  expect(listed.toSorted()).toEqual(known.toSorted())
})

test('every command line in the documents uses a command and flags that are there', () => {
  const program = createProgram()
  const shared = ['--help', '-h', '--version', '--verbose']
  const wrong = pages.flatMap((page) => {
    const text = readFileSync(join(repo, page), 'utf8')
    const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block!.replaceAll(/#.*$/gm, ''))
    const spoken = [...text.matchAll(/`(runlet [^`]+)`/g)].map(([, line]) => line!)
    const calls = [...blocks.join('\n').matchAll(/\brunlet [^\n|]*/g)].map(([line]) => line)
    return [...calls, ...spoken].flatMap((line) => {
      const name = /^runlet ([\w-]+)/.exec(line)?.[1]
      if (name === 'COMMAND' || name === 'listening') return []
      const command = program.commands.find((one) => one.name() === name)
      if (!command) return [`${page}: ${line}`]
      const flags = new Set([...shared, ...command.options.flatMap(({ short, long }) => [short, long])])
      const unknown = line.replaceAll(/"[^"]*"/g, '').match(/(?<= )--?[a-z][a-z-]*/g) ?? []
      return unknown.filter((flag) => !flags.has(flag)).map((flag) => `${page}: ${line} (${flag})`)
    })
  })
  expect(wrong).toEqual([])
})
