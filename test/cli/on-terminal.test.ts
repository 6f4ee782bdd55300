import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { Bench } from './runlet.ts'
import { main, withCli } from './runlet.ts'

/** `script` gives a program a terminal, where it is installed. */
const hasScript = spawnSync('script', ['--version']).status === 0

/** What a terminal gets, its CR LF as LF. `args` may use `$PROMPT`, which is hostile. */
async function onTerminal(cli: Bench, args: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await cli.shell(`script -qec "'${process.execPath}' '${main}' ${args}" /dev/null < /dev/null`, {
    env: { TERM: 'xterm', PROMPT: '\x1b]0;owned\x07 \x1b[31mred \u202e', ...env },
  })
  return stdout.replaceAll('\r\n', '\n')
}

// oxlint-disable-next-line no-control-regex
const withoutColours = (text: string) => text.replaceAll(/\x1b\[\d+m/g, '')

test.skipIf(!hasScript)(
  'the model’s text only prints, and two lines below say how to go on',
  withCli(async (cli) => {
    const said = await onTerminal(cli, 'ask --model sim/echo \\"$PROMPT\\"')
    const [answer, ...rest] = said.split('\n')
    expect(answer).toBe('␛]0;owned␇ ␛[31mred \\u202e')
    expect(withoutColours(rest.join('\n'))).toMatch(
      /^\nrun [0-9a-f-]{36} · first token \S+.*\ngo on: node .+ ask --session [0-9a-f-]{36} "…"\n$/,
    )
  }),
)

test.skipIf(!hasScript)(
  'lists, states and events only print too',
  withCli(async (cli) => {
    await onTerminal(cli, 'ask --model sim/echo \\"$PROMPT\\"')
    for (const args of ['runs', 'runs --json', 'show last', 'show last --json', 'follow last', 'follow last --json']) {
      // oxlint-disable-next-line no-control-regex
      expect(withoutColours(await onTerminal(cli, args))).toMatch(/^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]+$/)
    }
  }),
)

test.skipIf(!hasScript)(
  'tool lines stand on lines of their own',
  withCli(async (cli) => {
    const said = withoutColours(await onTerminal(cli, 'ask --model sim/tools --tool current_time When?'))
    expect(said).toMatch(
      /^Let me look that up\.\n🔧 Executing current_time\.\.\.\n✅ current_time completed\nHere it is:\n\n- .+\n\nrun /,
    )
  }),
)

test.skipIf(!hasScript)(
  'NO_COLOR leaves nothing but text',
  withCli(async (cli) => {
    expect(await onTerminal(cli, 'ask --model sim/echo hi', { NO_COLOR: '1' })).not.toContain('\x1b')
  }),
)
