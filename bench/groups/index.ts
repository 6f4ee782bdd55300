import type { Group } from './group.ts'
import { fanout } from './fanout.ts'
import { parse } from './parse.ts'
import { crowd, delay } from './paced.ts'
import { relay } from './relay.ts'

/** Every group, by the name that the command line calls it, in the order in which they run. */
export const groups = { parse, relay, fanout, delay, crowd } as const satisfies Record<string, Group>

export type GroupName = keyof typeof groups
