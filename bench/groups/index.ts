import { append } from './append.ts'
import { cli } from './cli.ts'
import { fanout } from './fanout.ts'
import type { Group } from './group.ts'
import { handlers } from './handlers.ts'
import { idle } from './idle.ts'
import { micro } from './micro.ts'
import { crowd, delay } from './paced.ts'
import { parse } from './parse.ts'
import { relay } from './relay.ts'
import { resume } from './resume.ts'

/** Every group, by the name that the command line calls it, in the order in which they run. */
export const groups = {
  micro,
  parse,
  append,
  resume,
  relay,
  delay,
  crowd,
  fanout,
  handlers,
  idle,
  cli,
} as const satisfies Record<string, Group>

export type GroupName = keyof typeof groups
