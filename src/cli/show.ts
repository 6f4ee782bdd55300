import type { Command } from 'commander'
import { Batch } from '../core/batch.ts'
import { formatCursor } from '../core/cursor.ts'
import { isExpired } from '../core/error.ts'
import type { RunView } from '../core/fold.ts'
import { emptyView, fold } from '../core/fold.ts'
import type { Gap, RunHeader } from '../core/log.ts'
import type { AssistantPart, Message } from '../core/message.ts'
import { contentText } from '../core/message.ts'
import { sanitise, sanitiseLine } from '../terminal/sanitise.ts'
import type { Style } from '../terminal/style.ts'
import { styleFor } from '../terminal/style.ts'
import type { Backend } from './backend.ts'
import { openBackend, recordOf } from './backend.ts'
import { storeOf, storeOption } from './options.ts'
import { printJson, printLines } from './output.ts'
import { resolveRun } from './run-id.ts'
import type { Timing } from './timing.ts'
import { stopwatch } from './timing.ts'
import { durationOf } from './words.ts'

interface ShowFlags {
  readonly json?: boolean
  readonly reasoning?: boolean
  readonly store?: string
}

export function addShow(program: Command): void {
  program
    .command('show')
    .argument('<run>', 'its id, the unique beginning or end of it, or "last"')
    .summary('one run: its state, messages, usage and times')
    .description('Shows what is known of a run now: how it stands, its messages, its usage and its times.')
    .option('--json', 'the same as one JSON object')
    .option('--reasoning', "the model's thoughts too")
    .addOption(storeOption())
    .addHelpText('after', '\nExample:\n  runlet show last --json | jq .usage')
    .action(async (run: string, flags: ShowFlags) => show(run, flags))
}

async function show(name: string, { json, reasoning = false, store }: ShowFlags): Promise<void> {
  const backend = await openBackend(storeOf(store))
  try {
    const record = await backend.find(await resolveRun(backend, name))
    const { view, timing, gaps, pruned } = await read(backend, record)
    if (json) {
      const { seq: _seq, step: _step, start: _start, ...folded } = view
      await printJson([{ ...recordOf(record), ...folded, timing, gaps, pruned }])
    } else {
      await printLines(describe({ record, view, timing, gaps, pruned, reasoning }))
    }
  } finally {
    await backend.close()
  }
}

interface Known {
  readonly view: RunView
  readonly timing: Timing
  readonly gaps: readonly Gap[]
  /** Retention took its entries; the summary is left. */
  readonly pruned: boolean
}

/** What a run is known by whose entries are gone. */
function summaryOf({ cursor, status, usage, error, finish_reason }: RunHeader): RunView {
  return {
    ...emptyView,
    seq: cursor.seq,
    status,
    ...(usage ? { usage } : {}),
    ...(error ? { error } : {}),
    ...(finish_reason ? { finish_reason } : {}),
  }
}

/** Everything up to the place where the run stood when it was looked up. */
async function read(backend: Backend, header: RunHeader): Promise<Known> {
  const { run_id, cursor } = header
  let view = emptyView
  const watch = stopwatch()
  const gaps: Gap[] = []
  try {
    for await (const record of backend.read(run_id, {})) {
      if (record instanceof Batch) {
        view = fold(view, record.entries)
        watch.add(record.entries)
      } else gaps.push(record)
      if ((record instanceof Batch ? record.last : record.to) >= cursor.seq) break
    }
  } catch (error) {
    if (!isExpired(error)) throw error
    return { view: summaryOf(header), timing: watch.timing, gaps, pruned: true }
  }
  return { view, timing: watch.timing, gaps, pruned: false }
}

function describe({
  record,
  view,
  timing,
  gaps,
  pruned,
  reasoning,
}: Known & { readonly record: RunHeader; readonly reasoning: boolean }): string[] {
  const style = styleFor(process.stdout, process.env)
  const facts: [name: string, value: string | undefined][] = [
    ['run', record.run_id],
    ['session', record.session_id],
    ['status', statusOf(record)],
    ['model', sanitiseLine(`${record.provider}/${record.model}`)],
    ['created', new Date(record.created_at).toISOString()],
    ['took', record.ended_at === undefined ? undefined : durationOf(record.ended_at - record.created_at)],
    ['first token', timing.first_token_ms === undefined ? undefined : durationOf(timing.first_token_ms)],
    ['speed', timing.tokens_per_second === undefined ? undefined : `${timing.tokens_per_second.toFixed(1)} tokens/s`],
    ['usage', usageOf(view)],
    ['durability', view.start?.durability],
    ['cursor', formatCursor(record.cursor)],
    ...gaps.map(({ from, to, reason }): [string, string] => ['missing', `events ${from} to ${to} (${reason})`]),
  ]
  return [
    ...facts.flatMap(([name, value]) => (value === undefined ? [] : [`${style.dim(name.padEnd(12))}${value}`])),
    ...(pruned ? ['', style.dim('what this run said was forgotten by retention ("runlet prune")')] : []),
    ...view.messages.flatMap((message) => ['', ...describeMessage(message, style, reasoning)]),
    ...(view.error ? ['', `${style.red('error')} ${sanitise(view.error.message)}`] : []),
  ]
}

function statusOf({ status, finish_reason, error }: RunHeader): string {
  if (error) return `${status} (${error.code}: ${error.reason})`
  return finish_reason === undefined || finish_reason === 'stop' || finish_reason === 'cancelled'
    ? status
    : `${status} (${finish_reason})`
}

function usageOf({ usage }: RunView): string | undefined {
  if (!usage) return undefined
  const about = usage.accuracy === 'estimated' ? '~' : ''
  const thought = usage.reasoning_tokens ? `, of them ${usage.reasoning_tokens} for reasoning` : ''
  return `${about}${usage.input_tokens} tokens in, ${about}${usage.output_tokens} out${thought}`
}

function describeMessage(message: Message, style: Style, reasoning: boolean): string[] {
  switch (message.role) {
    case 'system':
    case 'user':
      return [style.bold(message.role), sanitise(message.content)]
    case 'tool':
      return [
        `${style.bold('tool')} ${sanitiseLine(message.name)}${message.is_error ? style.red(' failed') : ''}`,
        sanitise(contentText(message.content)),
      ]
    case 'assistant':
      return [style.bold('assistant'), ...message.parts.flatMap((part) => describePart(part, style, reasoning))]
  }
}

function describePart(part: AssistantPart, style: Style, reasoning: boolean): string[] {
  switch (part.type) {
    case 'text':
      return [sanitise(part.text)]
    case 'reasoning':
      return reasoning ? [style.dim(sanitise(part.text))] : []
    case 'tool_call':
      return [style.dim(`calls ${sanitiseLine(part.name)} ${sanitiseLine(JSON.stringify(part.input))}`)]
  }
}
