/**
 * Prints every figure of Runlet beside its raw limit and its peers, measured in the same run on the same machine.
 *
 *     npm run bench                    everything, about ten minutes
 *     npm run bench -- relay parse     only these groups
 *     npm run bench -- --quick         one short round of each: whether it runs, not what it costs
 *     npm run bench -- --profile       with a CPU profile of every process that is measured
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { groups, type GroupName } from './groups/index.ts'
import type { Group } from './groups/group.ts'
import { openLab } from './lab.ts'
import { machineText, thisMachine } from './machine.ts'
import { judge, renderTable, type Table } from './table.ts'

const RESULTS = 'bench/results'

interface GroupResult {
  readonly group: GroupName
  readonly seconds: number
  readonly tables: readonly Table[]
  /** Why there are none. */
  readonly failure?: string
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, profile: { type: 'boolean', default: false } },
  })
  const wanted = positionals.length > 0 ? positionals : Object.keys(groups)
  const unknown = wanted.filter((name) => !isGroup(name))
  if (unknown.length > 0) {
    console.error(`there is no group ${unknown.join(', ')}; there are ${Object.keys(groups).join(', ')}`)
    process.exitCode = 2
    return
  }

  const command = ['npm run bench', ...(process.argv.length > 2 ? ['--'] : []), ...process.argv.slice(2)].join(' ')
  const machine = thisMachine()
  const date = new Date().toISOString()
  console.log(`$ ${command}\n${date}\n${machineText(machine)}`)
  console.log(
    `Medians of ${values.quick ? 'one short round: not for comparison' : 'five rounds'}; ratios round by round to 1×.\n`,
  )

  mkdirSync(RESULTS, { recursive: true })
  const results: GroupResult[] = []
  for (const name of wanted.filter(isGroup)) {
    results.push(
      await runGroup(name, { quick: values.quick, ...(values.profile ? { profiles: join(RESULTS, 'profiles') } : {}) }),
    )
  }

  const rows = results.flatMap(({ tables }) => tables.flatMap(judge))
  const held = rows.filter((row) => row.held === true).length
  const missed = rows.filter((row) => row.held === false)
  console.log(`${held} of ${held + missed.length} figures of the design held.`)
  const file = join(RESULTS, `${date.replaceAll(':', '-')}.json`)
  writeFileSync(file, `${JSON.stringify({ command, date, machine, results }, null, 2)}\n`)
  console.log(`Written to ${file}`)
  if (results.some(({ failure }) => failure !== undefined)) process.exitCode = 1
}

async function runGroup(
  name: GroupName,
  options: { readonly quick: boolean; readonly profiles?: string },
): Promise<GroupResult> {
  const lab = openLab(options)
  const begun = performance.now()
  const seconds = () => Math.round((performance.now() - begun) / 100) / 10
  try {
    const group: Group = groups[name]
    const tables = await group.run(lab)
    for (const table of tables) console.log(`${renderTable(table)}\n`)
    return { group: name, seconds: seconds(), tables }
  } catch (thrown) {
    const failure = thrown instanceof Error ? thrown.message : String(thrown)
    console.log(`${name}: FAILED: ${failure}\n`)
    return { group: name, seconds: seconds(), tables: [], failure }
  } finally {
    await lab.close()
  }
}

const isGroup = (name: string): name is GroupName => Object.hasOwn(groups, name)

await main()
