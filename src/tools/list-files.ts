import type { Tool } from '../core/tool.ts'
import type { Root } from './confine.ts'
import type { PathFilter } from './glob.ts'
import { glob } from './glob.ts'
import { report, shownPath } from './report.ts'
import type { Found } from './walk.ts'
import { maxEntries, walk } from './walk.ts'

interface Input {
  readonly path?: string
  readonly pattern?: string
  readonly depth?: number
  readonly ignored?: boolean
}

/** Names what lies in a folder, one path a line; folders end in `/`, links in ` -> link`. */
export function listFiles(root: Root): Tool {
  return {
    name: 'list_files',
    description:
      'List files and folders under a folder of the working directory, one path per line; folders end in "/". Links are shown, not followed.',
    idempotent: true,
    timeoutMs: 30_000,
    parameters: {
      type: 'object',
      properties: {
        path: { type: 'string', description: 'Folder to list, relative to the working directory. Default: all of it.' },
        pattern: {
          type: 'string',
          maxLength: 1_000,
          description:
            'Show only files like this: "*.ts", "src/**/*.{ts,js}". Without "/" it is held against the name.',
        },
        depth: {
          type: 'integer',
          minimum: 1,
          maximum: 64,
          description: 'Levels to go down. Default 3, with a pattern 64.',
        },
        ignored: { type: 'boolean', description: 'Go into .git and node_modules too. Default false.' },
      },
      additionalProperties: false,
    },
    async run(input, { signal }) {
      const { path = '.', pattern, depth = pattern === undefined ? 3 : 64, ignored = false }: Input = input
      const wanted: PathFilter | undefined = pattern === undefined ? undefined : glob(pattern)
      const lines = report()
      const found = walk(root, { path, depth, ignored, signal })
      for (;;) {
        const { value, done } = await found.next()
        if (done) {
          if (value.cut) lines.note(`cut after ${maxEntries} entries; name a folder inside with "path"`)
          if (value.unreadable > 0) lines.note(`${value.unreadable} folders could not be read`)
          break
        }
        if (wanted && (value.kind === 'folder' || !wanted(value.path))) continue
        if (lines.add(shownPath(value.path) + marks[value.kind])) continue
        lines.note('cut: the list is longer than 64 KiB; narrow it down with "path", "pattern" or "depth"')
        break
      }
      return lines.text(pattern === undefined ? '[the folder is empty]' : '[nothing matches the pattern]')
    },
  }
}

const marks: Readonly<Record<Found['kind'], string>> = {
  file: '',
  folder: '/',
  link: ' -> link',
  other: ' (not a file)',
}
