import type { Command } from 'commander'
import { Option } from 'commander'
import { Batch } from '../core/batch.ts'
import type { ModelOptions } from '../core/provider.ts'
import type { Diagnostic } from '../engine/runtime.ts'
import { styleFor } from '../terminal/style.ts'
import type { Backend, StartedRun } from './backend.ts'
import { invocation } from './invocation.ts'
import { collect, countOption, numberOption, storeOption } from './options.ts'
import { printJson, printLines } from './output.ts'
import { jsonPrinter, textPrinter } from './print-run.ts'
import { readPrompt } from './prompt.ts'
import { resolveSession } from './run-id.ts'
import { loadSettings } from './settings.ts'
import type { CommonFlags } from './settings.ts'
import { exitStatus } from './report.ts'
import { stopSignals } from './stop-signals.ts'
import { stopwatch } from './timing.ts'
import type { Timing } from './timing.ts'
import { watchRun } from './watch-run.ts'
import { durationOf } from './words.ts'

interface AskFlags extends CommonFlags {
  readonly system?: string
  readonly session?: string
  readonly tool?: readonly string[]
  readonly detach?: boolean
  readonly reasoning?: boolean
  readonly quiet?: boolean
  readonly stdin: boolean
  readonly maxTokens?: number
  readonly temperature?: number
  readonly reasoningEffort?: ModelOptions['reasoning_effort']
}

export function addAsk(program: Command): void {
  program
    .command('ask')
    .argument('[prompt...]', 'what to ask; several words are joined')
    .summary('ask a model and watch the answer come')
    .description(
      'Asks a model and prints its answer as it comes. What stdin holds, when it is a pipe or a file, is added to the ' +
        'prompt behind a blank line. A pipe gets the answer exactly, with a line feed at the end where it has none; ' +
        'a terminal gets it without control characters. Everything else goes to stderr.\n\n' +
        'Uses the daemon ("runlet serve") if one runs with the same settings, else makes the run itself. ' +
        'Ctrl-C cancels the run and keeps what was said; a second Ctrl-C leaves at once.',
    )
    .addOption(new Option('-m, --model <name>', 'provider/model, an alias, a specialist, or "sim" for the simulator'))
    .option('--system <text>', 'instructions that go before everything else')
    .option('-s, --session <id>', 'continue a conversation; "last" is the newest')
    .option('--tool <name>', 'a tool that the model may call; repeatable; "all" for every one in the box', collect)
    .option('--json', 'the events (gai.events.v1), one JSON object per line')
    .option('-d, --detach', 'let the daemon make the answer; print the run id and leave')
    .option('--reasoning', "show the model's thoughts, on stderr")
    .option('-q, --quiet', 'nothing on stderr but errors')
    .option('--no-stdin', 'do not read stdin')
    .addOption(countOption('--max-tokens <n>', 'most tokens of the answer'))
    .addOption(numberOption('--temperature <t>', 'how much chance there is in the answer', [0, 2]))
    .addOption(
      new Option('--reasoning-effort <level>', 'how long a model may think').choices([
        'none',
        'minimal',
        'low',
        'medium',
        'high',
      ]),
    )
    .addOption(storeOption())
    .addHelpText(
      'after',
      `
Exit status:
  0 answered, 1 error, 2 mistake in the usage, 3 cut short (tokens, tools, filter),
  130 cancelled, 141 the reader of the output has gone

Examples:
  runlet ask "Why is the sky blue?"
  git diff | runlet ask "Write a commit message for this"
  runlet ask --session last "Shorter, please"
  runlet ask --model sim "hello"                 offline, with the simulator
  runlet ask "hello" --json | jq -rj 'select(.type=="text.delta").text'`,
    )
    .action(async (words: string[], _: AskFlags, command: Command) => ask(words, command.optsWithGlobals()))
}

async function ask(words: readonly string[], flags: AskFlags): Promise<void> {
  const { verbose = false } = flags
  const command = invocation()
  const settings = await loadSettings(flags)
  const prompt = await readPrompt(words, { stdin: flags.stdin, example: `${command} ask "Why is the sky blue?"` })
  const { askBackend } = await import('./ask-backend.ts')
  const diagnostics: Diagnostic[] = []
  const { backend, request } = await askBackend(settings, {
    command,
    detach: flags.detach ?? false,
    ...(flags.model === undefined ? {} : { model: flags.model }),
    ...(flags.session === undefined ? {} : { session: flags.session }),
    tools: flags.tool ?? settings.config.tools,
    ...(verbose ? { onDiagnostic: (diagnostic) => diagnostics.push(diagnostic) } : {}),
  })
  try {
    const started = await backend.start({
      ...request,
      prompt,
      ...(flags.system === undefined ? {} : { system: flags.system }),
      ...(flags.session === undefined ? {} : { sessionId: await resolveSession(backend, flags.session) }),
      options: modelOptions(flags),
    })
    if (flags.detach) await announce(started, flags)
    else process.exitCode = await answer(backend, started, { flags, command, diagnostics })
  } finally {
    await backend.close()
  }
}

function modelOptions({ maxTokens, temperature, reasoningEffort }: AskFlags): ModelOptions {
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    ...(reasoningEffort === undefined ? {} : { reasoning_effort: reasoningEffort }),
  }
}

/** stdout has the run id alone, so that a script can take it. */
async function announce(started: StartedRun, { json }: AskFlags): Promise<void> {
  if (json) await printJson([started])
  else await printLines([started.run_id])
}

interface AnswerOptions {
  readonly flags: AskFlags
  readonly command: string
  /** With `--verbose`, what happened inside this process; it grows. */
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * Shows the answer. Whoever presses Ctrl-C, or closes the pipe that it goes to, stops the run. A terminal that is closed
 * stops nothing that the daemon makes; what is made here dies with it, and is stopped.
 */
async function answer(
  backend: Backend,
  { run_id, session_id }: StartedRun,
  { flags, command, diagnostics }: AnswerOptions,
): Promise<number> {
  const { json = false, quiet = false, reasoning = false, verbose = false } = flags
  const printer = json ? jsonPrinter() : textPrinter({ reasoning, quiet })
  const stop = stopSignals()
  const watch = stopwatch()
  let cancelled: Promise<unknown> | undefined
  const cancel = (reason: string) => {
    cancelled ??= backend.cancel(run_id, { reason })
    // It is awaited below; until then a failure is not to end the process.
    cancelled.catch(() => {})
  }
  const leave = new AbortController()
  const onTerminal = process.stdout.isTTY
  const giveUp = (terminalClosed: boolean, reason: string) => {
    if (terminalClosed && backend.daemon) leave.abort()
    else cancel(reason)
  }
  const onStop = () => giveUp(stop.signal.reason === 'SIGHUP', 'stopped by a signal')
  const onGone = () => giveUp(onTerminal, 'the reader of the output has gone')
  stop.signal.addEventListener('abort', onStop, { once: true })
  printer.gone.addEventListener('abort', onGone, { once: true })
  try {
    const status = await watchRun(backend.read(run_id, { signal: leave.signal }), printer, {
      json,
      verbose,
      diagnostics,
      onRecord: (record) => record instanceof Batch && watch.add(record.entries),
    })
    await cancelled
    if (leave.signal.aborted) return exitStatus.hangup
    if (process.stdout.isTTY && process.stderr.isTTY && !json && !quiet && !printer.gone.aborted) {
      summarise({ run_id, session_id, command, timing: watch.timing })
    }
    printer.gone.throwIfAborted()
    return status
  } finally {
    stop.release()
  }
}

interface Summary extends StartedRun {
  readonly command: string
  readonly timing: Timing
}

/** Two dim lines below the answer: how fast it came, and how to go on. */
function summarise({ run_id, session_id, command, timing }: Summary): void {
  const { dim } = styleFor(process.stderr, process.env)
  const { first_token_ms: first, tokens_per_second: speed } = timing
  const facts = [
    `run ${run_id}`,
    ...(first === undefined ? [] : [`first token ${durationOf(first)}`]),
    ...(speed === undefined ? [] : [`${speed.toFixed(1)} tokens/s`]),
  ]
  console.error(dim(`\n${facts.join(' · ')}`))
  console.error(dim(`go on: ${command} ask --session ${session_id} "…"`))
}
