import type { WriteStream } from 'node:tty'

/** Colours for one stream: the same functions that change nothing where the stream takes none. */
export interface Style {
  readonly coloured: boolean
  dim(text: string): string
  bold(text: string): string
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
}

/**
 * Colours only on a terminal that can show them; `NO_COLOR` (https://no-color.org), when it is not empty, turns them off.
 */
export function styleFor(
  stream: Pick<WriteStream, 'isTTY'>,
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const coloured = stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  const paint = (on: number, off: number) => (text: string) =>
    coloured && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text
  return {
    coloured,
    dim: paint(2, 22),
    bold: paint(1, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
  }
}
