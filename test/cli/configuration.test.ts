import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withCli } from './runlet.ts'

const configure = ({ home }: { readonly home: string }, text: string) => writeFileSync(join(home, 'runlet.toml'), text)

test.concurrent(
  'a mistake in the file is told with line, column and fix',
  withCli(async (cli) => {
    configure(cli, 'default_model = "sim"\n\n[aliases]\nfast = 1\n')
    expect(await cli.run(['ask', 'hi'])).toEqual({
      stdout: '',
      stderr: `runlet: ${cli.home}/runlet.toml:4:1: aliases.fast must be a string, or an array of strings\n`,
      status: 2,
    })
    configure(cli, 'default_model = "sim\n')
    expect((await cli.run(['ask', 'hi'])).stderr).toBe(
      `runlet: ${cli.home}/runlet.toml:1:21: this string is not closed in: default_model = "sim\n`,
    )
  }),
)

test.concurrent(
  'aliases, specialists and the default model work',
  withCli(async (cli) => {
    configure(
      cli,
      'default_model = "parrot"\n[aliases]\nparrot = "sim/echo"\n[specialists.apollo]\nmodel = "sim/echo"\nsystem = "You are Apollo."\n',
    )
    expect((await cli.run(['ask', 'by default'])).stdout).toBe('by default\n')
    expect((await cli.run(['ask', '--model', 'apollo', 'named'])).stdout).toBe('named\n')
    const { stdout } = await cli.run(['models'])
    expect(stdout.split('\n').slice(-3)).toEqual(['parrot -> sim/echo', 'apollo -> sim/echo', ''])
  }),
)

test.concurrent(
  'an alias of several models answers from the first that is there, and is listed with all of them',
  withCli(async (cli) => {
    configure(
      cli,
      '[aliases]\nfast = ["box/m", "sim/echo"]\n[providers.box]\nbase_url = "http://127.0.0.1:9"\n[limits]\nattempts = 1\n',
    )
    expect((await cli.run(['ask', '--model', 'fast', 'hello'])).stdout).toBe('hello\n')
    const { stdout } = await cli.run(['models'])
    expect(stdout.split('\n').filter((line) => line.includes('fast'))).toEqual(['fast -> box/m, sim/echo'])
    const json = (await cli.run(['models', '--json'])).stdout.trim().split('\n').at(-1)!
    expect(JSON.parse(json)).toEqual({ model: 'fast', alias_of: ['box/m', 'sim/echo'] })
  }),
)

test.concurrent(
  'an API that does not exist is named where it is used, with its line',
  withCli(async (cli) => {
    configure(cli, '[providers.box]\napi = "olama"\n')
    const { stderr, status } = await cli.run(['ask', '--model', 'box/x', 'hi'])
    expect(stderr).toBe(`runlet: ${cli.home}/runlet.toml:2:1: there is no API "olama"; did you mean "ollama"?\n`)
    expect(status).toBe(1)
    expect((await cli.run(['ask', '--model', 'sim/echo', 'others work'])).stdout).toBe('others work\n')
  }),
)

test.concurrent(
  'a key that the file asks for and the environment lacks is named',
  withCli(async (cli) => {
    configure(cli, '[providers.box]\nbase_url = "http://127.0.0.1:9"\napi_key_env = "BOX_KEY"\n')
    const { stderr, status } = await cli.run(['ask', '--model', 'box/x', 'hi'])
    expect(stderr).toBe(
      'runlet: box needs a key, and BOX_KEY is not set where Runlet runs. Set it and try again: export BOX_KEY=…\n',
    )
    expect(status).toBe(1)
  }),
)

test.concurrent(
  'a stranger’s folder names no address until it is trusted, and again not when it changed',
  withCli(async (cli) => {
    const cwd = join(cli.home, 'project')
    mkdirSync(cwd)
    configure({ home: cwd }, '[providers.box]\nbase_url = "http://127.0.0.1:9"\n')
    const refused = await cli.run(['ask', '--model', 'sim/echo', 'hi'], { cwd })
    expect(refused).toEqual({
      stdout: '',
      stderr: `runlet: ${cwd}/runlet.toml:2:1: providers.box.base_url decides where requests and keys go, and you have not trusted this folder. Read the file, then run: runlet trust\n`,
      status: 1,
    })
    expect(await cli.run(['trust'], { cwd })).toEqual({
      stdout: `trusted, as it is: ${cwd}/runlet.toml\n  providers.box.base_url = http://127.0.0.1:9\n`,
      stderr: '',
      status: 0,
    })
    expect((await cli.run(['ask', '--model', 'sim/echo', 'hi'], { cwd })).stdout).toBe('hi\n')
    configure({ home: cwd }, '[providers.box]\nbase_url = "http://evil.example"\n')
    expect((await cli.run(['ask', '--model', 'sim/echo', 'hi'], { cwd })).stderr).toContain('the file changed')
    configure({ home: cwd }, 'modle = "sim"\n')
    expect((await cli.run(['trust'], { cwd })).stderr).toContain('runlet.toml:1:1')
    configure({ home: cwd }, '[providers.box]\nbase_url = "http://127.0.0.1:9"\n')
    expect((await cli.run(['ask', '--model', 'sim/echo', 'hi'], { cwd })).stdout).toBe('hi\n')
    expect((await cli.run(['trust', '--remove', cwd])).stdout).toBe(`no longer trusted: ${cwd}\n`)
    expect(await cli.run(['trust', cli.home])).toMatchObject({ status: 1, stdout: '' })
  }),
)

test.concurrent(
  'a daemon does not start with a model that nothing can answer for, and says where it stands',
  withCli(async (cli) => {
    const says =
      '"nope" names no model here; write provider/model with one of these providers: openai, ollama, sim; aliases: sim\n'
    const args = ['serve', '--port', '0']
    const refused = (from: string) => ({ stdout: '', stderr: `runlet: ${from}: ${says}`, status: 1 })
    expect(await cli.run([...args, '--model', 'nope'])).toEqual(refused('--model'))
    expect(await cli.run(args, { env: { RUNLET_MODEL: 'nope' } })).toEqual(refused('RUNLET_MODEL'))
    configure(cli, 'tools = []\ndefault_model = "nope"\n')
    expect(await cli.run(args)).toEqual(refused(`${cli.home}/runlet.toml:2:1`))
  }),
)

test.concurrent(
  'text without quotes is told what it lacks',
  withCli(async (cli) => {
    configure(cli, 'default_model = sim/echo\n')
    expect((await cli.run(['models'])).stderr).toBe(
      `runlet: ${cli.home}/runlet.toml:1:17: invalid value (put text in quotes) in: default_model = sim/echo\n`,
    )
  }),
)
