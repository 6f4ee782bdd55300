import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { withCli } from './runlet.ts'

test.concurrent(
  '--version is the version of the package',
  withCli(async (cli) => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
    expect(await cli.run(['--version'])).toEqual({ stdout: `${version}\n`, stderr: '', status: 0 })
  }),
)

test.concurrent(
  '--help lists every command; each explains itself with an example',
  withCli(async (cli) => {
    const { stdout, status } = await cli.run(['--help'])
    expect(status).toBe(0)
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name]) => name!)
    expect(commands).toEqual([
      'ask',
      'follow',
      'cancel',
      'show',
      'runs',
      'serve',
      'start',
      'page',
      'token',
      'models',
      'doctor',
      'trust',
      'prune',
      'sim',
      'help',
      'node',
    ])
    const helps = await Promise.all(commands.slice(0, -2).map((name) => cli.run([name, '--help'])))
    for (const help of helps) {
      expect(help).toMatchObject({ stderr: '', status: 0 })
      expect(help.stdout).toMatch(/Examples?:\n|Faults/)
    }
  }),
)

const usage: [name: string, args: string[], stderr: RegExp][] = [
  ['an unknown command', ['folow'], /^runlet: unknown command 'folow'; did you mean follow\?\n$/],
  ['an unknown flag of the program', ['--verion'], /^runlet: unknown option '--verion'; did you mean --version\?\n$/],
  ['no command, but a question', ['Why?'], /^runlet: unknown command 'Why\?'; to ask a model: \S.* ask "Why\?"\n$/],
  [
    'a flag of ask without its name',
    ['--model', 'sim', 'hi'],
    /^runlet: unknown option '--model'; it belongs to a command: \S.* ask --model …\n$/,
  ],
  ['help for no command', ['help', 'folow'], /^runlet: there is no command "folow"; did you mean follow\?\n$/],
  [
    'help for nothing near a command',
    ['help', 'xyzzyx'],
    /^runlet: there is no command "xyzzyx"; there are ask, follow,/,
  ],
  [
    'an origin that ends with a slash',
    ['serve', '--origin', 'http://localhost:5173/'],
    /Write it without the slash at its end: http:\/\/localhost:5173\n$/,
  ],
  [
    'an unknown fault of the simulator',
    ['ask', '--model', 'sim/lorem-20?cuut=4', 'hi'],
    /^runlet: sim knows no fault "cuut"; it knows cut, rst, /,
  ],
  [
    'a fault with a value that it cannot have',
    ['ask', '--model', 'sim/lorem-20?cut=x', 'hi'],
    /^runlet: sim: the fault "cut" cannot be used /,
  ],
  [
    'an unknown flag of a command',
    ['runs', '--satus', 'x'],
    /^runlet: unknown option '--satus'; did you mean --status\?\n$/,
  ],
  ['a missing argument', ['follow'], /^runlet: missing required argument 'run'\n$/],
  ['one argument too many', ['show', 'a', 'b'], /^runlet: too many arguments for 'show'/],
  [
    'a value that is none of the choices',
    ['runs', '--status', 'done'],
    /Allowed choices are running, completed, failed, cancelled\.\n$/,
  ],
  [
    'a cursor that is none',
    ['follow', 'last', '--after', 'x'],
    /^runlet: "x" is not a cursor; give the id of the last event you saw, for example 1-42/,
  ],
  ['nothing to prune', ['prune'], /^runlet: say what to forget: --older-than 30d, --max-size 2G, or both\n$/],
  [
    'an age that is none',
    ['prune', '--older-than', 'old'],
    /It must be a number and s, m, h or d, for example 30d\.\n$/,
  ],
]
for (const [name, args, stderr] of usage) {
  test.concurrent(
    `a mistake in the usage ends with 2 and the fix: ${name}`,
    withCli(async (cli) => {
      const result = await cli.run(args)
      expect(result.stderr).toMatch(stderr)
      expect([result.stdout, result.status]).toEqual(['', 2])
    }),
  )
}

const cutShort: [name: string, line: string, stdout: string][] = [
  ['help', 'runlet --help | true; echo " ${PIPESTATUS[0]}"', ' 141\n'],
  ['a list', 'runlet runs | true; echo " ${PIPESTATUS[0]}"', ' 141\n'],
  ['an error', '{ runlet nope 2>&1; echo $? >&3; } 3>&1 1>/dev/full', '2\n'],
]
for (const [name, line, stdout] of cutShort) {
  test.concurrent(
    `a reader that goes away is no crash: ${name}`,
    withCli(async (cli) => {
      expect(await cli.shell(line)).toMatchObject({ stdout, stderr: '' })
    }),
  )
}

test.concurrent(
  'help COMMAND is what COMMAND --help says, and help alone is --help',
  withCli(async (cli) => {
    expect(await cli.run(['help', 'follow'])).toEqual(await cli.run(['follow', '--help']))
    expect(await cli.run(['help'])).toEqual(await cli.run(['--help']))
  }),
)

test.concurrent(
  'the simulator is called sim, not by a port that nobody chose',
  withCli(async (cli) => {
    expect(await cli.run(['ask', '--model', 'sim/nonsense', 'hi'])).toEqual({
      stdout: '',
      stderr: 'runlet: sim does not know the model nonsense; see what there is with `runlet models` (HTTP 404)\n',
      status: 1,
    })
    expect((await cli.run(['ask', '--model', 'sim/hello?status=400', 'hi'])).stderr).toBe(
      'runlet: sim did not accept the request; its own words are in the log (HTTP 400)\n',
    )
  }),
)
