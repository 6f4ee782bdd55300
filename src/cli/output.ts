import { printer } from '../terminal/print.ts'
import { sanitise } from '../terminal/sanitise.ts'

/** Lines to stdout. Throws what is wrong with it: a reader that has gone, a disk that is full. */
export async function printLines(lines: readonly string[]): Promise<void> {
  const out = printer(process.stdout)
  for (const line of lines) await out.write(`${line}\n`)
  await out.flush()
  out.gone.throwIfAborted()
}

/** Values as JSON, one per line. On a terminal, characters that it would obey are escaped, which JSON allows. */
export function printJson(values: readonly unknown[]): Promise<void> {
  const lines = values.map((value) => JSON.stringify(value))
  return printLines(process.stdout.isTTY ? lines.map(sanitise) : lines)
}
