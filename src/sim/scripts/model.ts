import type { Ask, Script } from '../script.ts'

/** One of the simulator's own models. */
export interface OwnModel {
  /** As it is listed; `lorem-N` stands for a family. */
  readonly name: string
  readonly description: string
  /** Matches the whole name, without the prefix `sim/`. */
  readonly pattern: RegExp
  readonly script: (ask: Ask, match: RegExpExecArray) => Script
}
