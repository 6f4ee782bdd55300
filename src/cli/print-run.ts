/** A run on stdout as it comes: its text, or its events as lines. What it does meanwhile goes to stderr. */
import { Batch } from '../core/batch.ts'
import type { Entry, RunEvent } from '../core/event.ts'
import { isTerminal } from '../core/event.ts'
import type { Gap } from '../core/log.ts'
import { printer } from '../terminal/print.ts'
import { sanitise, sanitiseLine, sanitiser } from '../terminal/sanitise.ts'
import type { Style } from '../terminal/style.ts'
import { styleFor } from '../terminal/style.ts'

export interface RunPrinter {
  /** To be awaited: it waits while the reader does not read. */
  show(record: Batch | Gap): Promise<void>
  /** Completes the output and resolves once it has been taken. */
  end(): Promise<void>
  /** Aborts when stdout takes no more. Its reason is a `RunletError`. */
  readonly gone: AbortSignal
}

export interface TextOptions {
  /** Show the model's thoughts, on stderr. */
  readonly reasoning: boolean
  /** Nothing on stderr. */
  readonly quiet: boolean
}

/** The run's stored lines, one event each, as they are. */
export function jsonPrinter(): RunPrinter {
  const out = printer(process.stdout)
  return {
    async show(record) {
      // On a terminal, what it would obey is escaped, which JSON allows.
      if (record instanceof Batch) await out.write(process.stdout.isTTY ? sanitise(record.lines) : record.lines)
      else complainOfGap(record)
    },
    end: () => out.flush(),
    gone: out.gone,
  }
}

/**
 * The visible text. On a terminal it is sanitised; a pipe or a file gets the model's exact characters. A line feed is
 * added at the end where the text has none.
 */
export function textPrinter({ reasoning, quiet }: TextOptions): RunPrinter {
  const out = printer(process.stdout)
  const filter = process.stdout.isTTY ? sanitiser() : undefined
  const notes = noteWriter()

  async function write(text: string): Promise<void> {
    if (text === '') return
    notes.textFollows(text)
    await out.write(text)
  }

  return {
    async show(record) {
      if (!(record instanceof Batch)) {
        await out.flush()
        return complainOfGap(record)
      }
      let text = ''
      for (const { event } of record.entries) {
        if (event.type === 'text.delta') {
          text += filter ? filter.push(event.text) : event.text
          continue
        }
        const thought = reasoning && event.type === 'reasoning.delta' ? event.text : undefined
        const note = quiet ? undefined : noteOf(event, notes.style)
        if (note === undefined && thought === undefined) continue
        // A note stands where it happened: what was said before it goes out first.
        await write(text)
        text = ''
        await out.flush()
        if (thought !== undefined) notes.think(thought)
        else if (note !== undefined) notes.line(note)
      }
      await write(text)
    },
    async end() {
      await write(filter?.end() ?? '')
      if (out.midLine) await write('\n')
      await out.flush()
      notes.end()
    },
    gone: out.gone,
  }
}

/** What stderr says of an event that is neither text nor thought. */
function noteOf(event: RunEvent, style: Style): string | undefined {
  switch (event.type) {
    case 'tool.call':
      return `🔧 Executing ${sanitiseLine(event.tool_call.name)}...`
    case 'tool.progress':
      return style.dim(`   ${sanitiseLine(event.text)}`)
    case 'tool.result':
      return event.is_error
        ? `❌ ${sanitiseLine(event.name)} failed: ${sanitiseLine(short(event.tool_result))}`
        : `✅ ${sanitiseLine(event.name)} completed`
    case 'status':
    case 'warning':
      return style.dim(`${event.type === 'warning' ? '⚠ ' : ''}${sanitiseLine(event.message)}`)
    case 'step.reset':
      return style.yellow('↻ the connection to the model broke; what it said in this step is void, and it starts again')
    default:
      return undefined
  }
}

function short(result: unknown): string {
  const text = typeof result === 'string' ? result : JSON.stringify(result)
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}

/** Lines on stderr between pieces of the answer, so that on one screen they do not run into each other. */
function noteWriter() {
  const style = styleFor(process.stderr, process.env)
  const sameScreen = process.stdout.isTTY && process.stderr.isTTY
  const thoughts = sanitiser()
  let thinking = false
  /** The screen's last line is part of the answer, and not complete. */
  let textOpen = false

  function end(): void {
    if (thinking) process.stderr.write('\n\n')
    thinking = false
  }

  return {
    style,
    /** To be called before a piece of the answer is written. */
    textFollows(text: string) {
      end()
      textOpen = sameScreen && !text.endsWith('\n')
    },
    line(text: string) {
      end()
      process.stderr.write(`${textOpen ? '\n' : ''}${text}\n`)
      textOpen = false
    },
    think(text: string) {
      if (textOpen) process.stderr.write('\n')
      textOpen = false
      process.stderr.write(style.dim(process.stderr.isTTY ? thoughts.push(text) : text))
      thinking = true
    },
    end,
  }
}

function complainOfGap({ from, to, reason }: Gap): void {
  console.error(`runlet: events ${from} to ${to} cannot be shown (${reason}): the store lost or damaged them`)
}

/** The run's last entry, if `record` holds it. */
export function terminalIn(record: Batch | Gap): Entry | undefined {
  const last = record instanceof Batch ? record.entries.at(-1) : undefined
  return last && isTerminal(last.event) ? last : undefined
}
