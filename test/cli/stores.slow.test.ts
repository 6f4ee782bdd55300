import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { expect, test } from 'vitest'
import type { Bench } from './runlet.ts'
import { withCli } from './runlet.ts'

const database = ({ home }: Bench) => join(home, 'runlet.db')

const ask = (cli: Bench) => cli.run(['ask', '--model', 'sim/echo', 'hi'])

test.concurrent(
  'a file that is no database is left as it is',
  withCli(async (cli) => {
    writeFileSync(database(cli), 'x'.repeat(5000))
    expect(await ask(cli)).toMatchObject({
      stdout: '',
      stderr: `runlet: ${database(cli)} is not a database, so runs cannot be kept in it; it was left as it is. Name another file\n`,
      status: 2,
    })
    expect(readFileSync(database(cli), 'utf8')).toBe('x'.repeat(5000))
  }),
)

test.concurrent(
  'a store of a later version is left as it is',
  withCli(async (cli) => {
    await ask(cli)
    const db = new DatabaseSync(database(cli))
    db.exec('PRAGMA user_version = 99')
    db.close()
    const { stderr, status } = await ask(cli)
    expect(stderr).toMatch(
      /^runlet: .+ was written by a later Runlet \(format 99; .+Update Runlet, or name another file\n$/,
    )
    expect(status).toBe(1)
  }),
)

test.concurrent(
  'a store that another program keeps locked',
  withCli(async (cli) => {
    await ask(cli)
    const db = new DatabaseSync(database(cli))
    db.exec('BEGIN EXCLUSIVE')
    const { stderr, stdout, status } = await ask(cli)
    db.exec('ROLLBACK')
    db.close()
    expect(stderr).toMatch(/^runlet: another program keeps .+ locked; close what has it open/)
    expect([stdout, status]).toEqual(['', 1])
  }),
)

test.concurrent(
  'a folder that cannot be made',
  withCli(async (cli) => {
    writeFileSync(join(cli.home, 'file'), '')
    const { stderr, status } = await cli.run([
      'ask',
      '--model',
      'sim/echo',
      '--store',
      join(cli.home, 'file', 'x.db'),
      'hi',
    ])
    expect(stderr).toMatch(/^runlet: .+x\.db cannot be opened for writing\./)
    expect(status).toBe(1)
  }),
)

test.concurrent(
  'memory: keeps nothing',
  withCli(async (cli) => {
    expect((await cli.run(['ask', '--store', 'memory:', '--model', 'sim/echo', 'hi'])).stdout).toBe('hi\n')
    expect(await cli.runs()).toEqual([])
  }),
)
