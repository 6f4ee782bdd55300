import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8')
const page = read('docs/frameworks.md')

/** The names in the first column of the table that follows a sentence. */
function tableAfter(sentence: string): string[] {
  const table = page.slice(page.indexOf(sentence)).split('\n\n')[1] ?? ''
  return [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!)
}

/** The members of an interface, as its source spells them. */
function membersOf(source: string, name: string): string[] {
  const body = new RegExp(`export interface ${name}[^{]*{\n(.*?)\n}`, 's').exec(read(source))?.[1] ?? ''
  return [...body.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, member]) => member!)
}

const handlers = 'src/servers/http/handlers'
const tables: [sentence: string, members: string[]][] = [
  [
    'Of a stream, and of every stream of a handler',
    ['NdjsonOptions', 'SseOptions'].flatMap((name) => membersOf(`${handlers}/options.ts`, name)),
  ],
  ['Of a registry, of `sse`', membersOf(`${handlers}/options.ts`, 'StreamsOptions')],
  [
    'Of a handler besides',
    [
      ...membersOf(`${handlers}/run-handler.ts`, 'HandlerOptions'),
      ...membersOf('src/http.ts', 'ProviderHandlerOptions'),
    ],
  ],
]
for (const [sentence, members] of tables) {
  test(`docs/frameworks.md tells of every option, and of none that is not there: ${sentence}`, () => {
    expect(members.length).toBeGreaterThan(5)
    expect(tableAfter(sentence).toSorted()).toEqual(members.toSorted())
  })
}
