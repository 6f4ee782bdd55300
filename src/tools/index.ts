/** The tools in the box: they read, they change nothing, and they see nothing outside their root. See docs/tools.md. */
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import type { Tool } from '../core/tool.ts'
import { currentTime } from './current-time.ts'
import { listFiles } from './list-files.ts'
import { readFile } from './read-file.ts'
import { searchText } from './search-text.ts'

export interface BoxOptions {
  /** The folder that tools may read. Links that lead out of it are refused. */
  readonly root: string
  /** Default: the machine's own. */
  readonly clock?: Clock
  /** Longest time that a regular expression of `search_text` may take over one file. Milliseconds. Default 2,000. */
  readonly patternMs?: number
}

/** What makes each tool: a new one is one file and one line here. */
export const toolFactories = {
  list_files: ({ root }) => listFiles({ path: root }),
  read_file: ({ root }) => readFile({ path: root }),
  search_text: ({ root, clock = systemClock, patternMs = 2_000 }) => searchText({ path: root }, { clock, patternMs }),
  current_time: ({ clock = systemClock }) => currentTime(clock),
} satisfies Record<string, (options: BoxOptions) => Tool>

/** All tools in the box, for one folder. */
export function boxTools(options: BoxOptions): Tool[] {
  return Object.values(toolFactories).map((make) => make(options))
}
