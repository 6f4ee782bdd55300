import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const repo = fileURLToPath(new URL('..', import.meta.url))
const pages = [
  ...readdirSync(repo).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(repo, 'docs')).map((name) => join('docs', name)),
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
