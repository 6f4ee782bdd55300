import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Bench, RunOptions } from './runlet.ts'
import { withCli } from './runlet.ts'

const daemonFile = ({ home }: Bench) => join(home, 'daemon.json')

const asked = (cli: Bench, args: readonly string[], options?: RunOptions) =>
  cli.run(['ask', '--model', 'sim/echo', ...args], options)

test.concurrent(
  'serve says where it listens, leaves a file for its clients, and takes it away again',
  withCli(async (cli) => {
    const daemon = await cli.serve()
    const record = JSON.parse(readFileSync(daemonFile(cli), 'utf8'))
    expect(record).toMatchObject({ url: daemon.url, pid: daemon.child.pid, store: join(cli.home, 'runlet.db') })
    expect(statSync(daemonFile(cli)).mode & 0o777).toBe(0o600)
    expect(statSync(join(cli.home, 'token')).mode & 0o777).toBe(0o600)
    daemon.child.kill('SIGTERM')
    const { stdout, stderr, status } = await daemon.done
    expect([stdout, status]).toEqual([`runlet listening on ${daemon.url}\n`, 0])
    const codes = stderr
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).code)
    expect(codes).toEqual(['listening', 'stopping', 'stopped'])
    expect(existsSync(daemonFile(cli))).toBe(false)
  }),
)

test.concurrent(
  'there is one daemon for one home; the second says where the first is',
  withCli(async (cli) => {
    const { url, child } = await cli.serve()
    const { stdout, stderr, status } = await cli.run(['serve', '--port', '0'])
    expect(stderr).toBe(
      `runlet: a daemon serves this home already: ${url} (pid ${child.pid}). Use that one, stop it with "kill ${child.pid}", or give this one a home of its own: RUNLET_HOME=FOLDER\n`,
    )
    expect([stdout, status]).toEqual(['', 1])
    expect((await asked(cli, ['still there'])).stdout).toBe('still there\n')
  }),
)

test.concurrent(
  'of two that start at the same moment one serves',
  withCli(async (cli) => {
    const both = [cli.start(['serve', '--port', '0']), cli.start(['serve', '--port', '0'])]
    const first = await Promise.race(both.map(({ done }) => done))
    expect(first.stderr).toContain('a daemon serves this home already')
    expect(first.status).toBe(1)
    expect((await asked(cli, ['hello'])).stdout).toBe('hello\n')
  }),
)

test.concurrent(
  'a port that is taken is named, with the way out',
  withCli(async (cli) => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as AddressInfo
    const { stderr, stdout, status } = await cli.run(['serve', '--port', String(port)])
    other.close()
    expect(stderr).toBe(
      `runlet: port ${port} of 127.0.0.1 is in use: a program listens there. Stop it, or choose another port: --port 8080 (--port 0 takes a free one)\n`,
    )
    expect([stdout, status]).toEqual(['', 2])
    expect(existsSync(daemonFile(cli))).toBe(false)
  }),
)

test.concurrent(
  'what a daemon that died left behind counts for nothing',
  withCli(async (cli) => {
    const daemon = await cli.serve()
    daemon.child.kill('SIGKILL')
    await daemon.done
    expect(existsSync(daemonFile(cli))).toBe(true)
    expect((await asked(cli, ['hello'])).stdout).toBe('hello\n')
    const next = await cli.serve()
    expect(JSON.parse(readFileSync(daemonFile(cli), 'utf8')).url).toBe(next.url)
  }),
)

test.concurrent(
  'a file that names somebody else’s process counts for nothing either',
  withCli(async (cli) => {
    const record = { version: 1, url: 'http://127.0.0.1:9', pid: process.pid, started: 1, cwd: '/', settings: 'x' }
    writeFileSync(daemonFile(cli), JSON.stringify({ ...record, store: join(cli.home, 'runlet.db') }))
    expect((await asked(cli, ['hello'])).stdout).toBe('hello\n')
    expect(await cli.runs()).toHaveLength(1)
    const daemon = await cli.serve()
    expect(JSON.parse(readFileSync(daemonFile(cli), 'utf8')).url).toBe(daemon.url)
  }),
)

test.concurrent(
  '--detach leaves the run to the daemon; another process follows, shows and lists it',
  withCli(async (cli) => {
    await cli.serve()
    const detached = await asked(cli, ['--detach', 'one two three'])
    expect(detached).toMatchObject({ stderr: '', status: 0 })
    const run = detached.stdout.trim()
    expect(await cli.run(['follow', run])).toEqual({ stdout: 'one two three\n', stderr: '', status: 0 })
    const lines = (await cli.run(['follow', run, '--json'])).stdout
    expect(JSON.parse(lines.split('\n', 1)[0]!).run_id).toBe(run)
    const rest = await cli.run(['follow', run, '--json', '--after', '1-2'])
    expect(rest.stdout).toBe(lines.split('\n').slice(2).join('\n'))
    const shown = JSON.parse((await cli.run(['show', run, '--json'])).stdout)
    expect(shown).toMatchObject({ run_id: run, status: 'completed', gaps: [] })
    expect((await cli.runs()).map(({ run_id }) => run_id)).toEqual([run])
  }),
)

test.concurrent(
  'the store tells the same when the daemon is gone',
  withCli(async (cli) => {
    const daemon = await cli.serve()
    await asked(cli, ['one two three'])
    const commands = [
      ['follow', 'last', '--json'],
      ['show', 'last', '--json'],
      ['runs', '--json'],
    ]
    const served = await Promise.all(commands.map((command) => cli.run(command)))
    daemon.child.kill('SIGTERM')
    await daemon.done
    expect(await Promise.all(commands.map((command) => cli.run(command)))).toEqual(served)
  }),
)

test.concurrent(
  'a run of the daemon is cancelled from another process; its followers see the end',
  withCli(async (cli) => {
    await cli.serve()
    await cli.run(['ask', '--detach', '--model', 'sim/slow', 'hello'])
    const follower = cli.start(['follow', 'last'])
    await follower.said('Patience')
    const { stdout, status } = await cli.run(['cancel', 'last'])
    expect(stdout).toMatch(/^[0-9a-f-]{36} cancelled\n$/)
    expect(status).toBe(0)
    expect((await follower.done).status).toBe(130)
    expect((await cli.run(['cancel', 'last'])).stdout).toBe(stdout)
  }),
)

test.concurrent(
  'Ctrl-C in front of the daemon cancels the run there',
  withCli(async (cli) => {
    await cli.serve()
    const asking = cli.start(['ask', '--model', 'sim/slow', 'hello'])
    await asking.said('Patience')
    asking.child.kill('SIGINT')
    expect((await asking.done).status).toBe(130)
    expect((await cli.runs())[0]).toMatchObject({ status: 'cancelled' })
  }),
)

test.concurrent(
  'leaving "follow" does not stop the run',
  withCli(async (cli) => {
    await cli.serve()
    await cli.run(['ask', '--detach', '--model', 'sim/slow', 'hello'])
    const follower = cli.start(['follow', 'last'])
    await follower.said('Patience')
    follower.child.kill('SIGINT')
    const { stderr, status } = await follower.done
    const [run] = await cli.runs()
    expect(stderr).toMatch(new RegExp(`^goes on: .* follow ${run!.run_id}\\n$`))
    expect([status, run!.status]).toEqual([0, 'running'])
  }),
)

test.concurrent(
  'without a daemon, a run that one process makes is followed and cancelled from others',
  withCli(async (cli) => {
    const asking = cli.start(['ask', '--model', 'sim/slow', 'hello'])
    await asking.said('Patience')
    const followers = [cli.start(['follow', 'last']), cli.start(['follow', 'last'])]
    await Promise.all(followers.map((follower) => follower.said('Patience')))
    expect((await cli.run(['cancel', 'last'])).status).toBe(0)
    const results = await Promise.all([asking, ...followers].map(({ done }) => done))
    expect(results.map(({ status }) => status)).toEqual([130, 130, 130])
    expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(1)
  }),
)

test.concurrent(
  'a run whose process was killed is ended, and nobody waits for it',
  withCli(async (cli) => {
    const asking = cli.start(['ask', '--model', 'sim/slow', 'hello'])
    await asking.said('Patience')
    const follower = cli.start(['follow', 'last'])
    await follower.said('Patience')
    asking.child.kill('SIGKILL')
    await asking.done
    const { status, stderr } = await cli.run(['follow', 'last'])
    expect(status).toBe(1)
    expect(stderr).toMatch(/^runlet: the process that made this answer died before it was complete/)
    expect((await follower.done).stderr).toBe(stderr)
  }),
)

test.concurrent(
  'when the daemon is killed, the store tells its followers how the run ended',
  withCli(async (cli) => {
    const daemon = await cli.serve()
    const asking = cli.start(['ask', '--model', 'sim/slow', 'hello'])
    await asking.said('Patience')
    daemon.child.kill('SIGKILL')
    const { stdout, stderr, status } = await asking.done
    expect(stdout).toMatch(/^Patience.*\n$/)
    expect(stderr).toMatch(
      /^(?:runlet: the Runlet server at .+; trying again\n)?runlet: the process that made this answer died/,
    )
    expect(status).toBe(1)
  }),
)

test.concurrent(
  'a daemon that was started with other settings is not asked to do what it would do otherwise',
  withCli(async (cli) => {
    const { url } = await cli.serve()
    const env = { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' }
    const { stderr, status } = await asked(cli, ['--detach', 'x'], { env })
    expect(stderr).toMatch(new RegExp(`^runlet: --detach .* ${url} was started with other settings`))
    expect(status).toBe(1)
    expect((await asked(cli, ['here then'], { env })).stdout).toBe('here then\n')
  }),
)

test.concurrent(
  'tools see the folder that "ask" was called in, not the daemon’s',
  withCli(async (cli) => {
    await cli.serve([], { cwd: '/' })
    writeFileSync(join(cli.home, 'note.txt'), 'found me')
    const { stdout } = await cli.run(['ask', '--model', 'sim/tools', '--tool', 'read_file', 'note.txt'])
    expect(stdout).toContain('found me')
  }),
)

test.concurrent(
  'the daemon stops in the middle of an answer: it ends, and its follower is told how',
  withCli(async (cli) => {
    const daemon = await cli.serve(['--drain', '0'])
    await cli.run(['ask', '--detach', '--model', 'sim/slow', 'hello'])
    const follower = cli.start(['follow', 'last'])
    await follower.said('Patience')
    daemon.child.kill('SIGTERM')
    expect((await daemon.done).status).toBe(0)
    expect((await follower.done).stderr).toMatch(/^runlet: the process that made this answer was stopped/)
    expect((await cli.runs())[0]).toMatchObject({ status: 'failed', error: { reason: 'shutdown' } })
  }),
)

test.concurrent(
  'start shows a newcomer a simulated answer and three things to try, which work as they are printed',
  withCli(async (cli) => {
    const daemon = cli.start(['start', '--port', '0'])
    await daemon.said('Ctrl-C stops it.')
    const said = daemon.stdout()
    const [, url, seen, commands] = /^runlet listening on (\S+)\n([^]+)\nTry, in another terminal:\n\n([^]+?)\n\n/.exec(
      said,
    )!
    expect(seen).toContain('No model is configured: OPENAI_API_KEY is not set')
    expect(seen).toContain('**No model wrote this.**')
    const [asking, following, curl, ...more] = commands!.replaceAll('\\\n', ' ').split('\n')
    expect([more, curl!.includes(url!)]).toEqual([[], true])
    expect(await cli.shell(asking!)).toMatchObject({
      stdout: expect.stringContaining('No model wrote this'),
      status: 0,
    })
    expect(await cli.shell(following!)).toMatchObject({ stdout: expect.stringContaining('No model wrote'), status: 0 })
    expect(await cli.shell(curl!)).toMatchObject({ stdout: expect.stringContaining('event: done'), status: 0 })
    daemon.child.kill('SIGINT')
    expect(await daemon.done).toMatchObject({ stderr: '', status: 0 })
  }),
)
