/** What the two threads of a SQLite store say to each other. Plain values: they are cloned on the way. */
import type { Epoch } from '../../core/cursor.ts'
import type { Durability, RunId } from '../../core/event.ts'
import type { IdempotencyClaim, Pruned, RetentionPolicy } from '../../core/log.ts'
import type { RunBeginning, RunEnd } from '../numbering.ts'
import type { FileOptions } from './file.ts'

/** What the writer thread is started with. */
export interface WriterSettings extends FileOptions {
  readonly path: string
}

/** Writes that are committed together, in this order. One group is under way at a time. */
export interface WriteGroup {
  /** True: it is on the disk before the answer. False: in the page cache. */
  readonly sync: boolean
  readonly writes: readonly Write[]
}

export type Write =
  | { readonly type: 'append'; readonly no: number; readonly batch: StoredBatch; readonly end?: RunEnd }
  | {
      readonly type: 'create'
      readonly beginning: RunBeginning
      /** JSON of the `RunRequest`. */
      readonly request: string
      readonly batch: StoredBatch
      readonly end?: RunEnd
      readonly owner: string
      readonly claim?: IdempotencyClaim
    }
  /** Only while `from` owns it. */
  | { readonly type: 'take_over'; readonly no: number; readonly from: string; readonly to: string }
  /** `request` is the JSON of a `ControlRequest`. */
  | { readonly type: 'send'; readonly no: number; readonly request: string }
  /** A control request was handed over. */
  | { readonly type: 'heard'; readonly id: number }
  | { readonly type: 'prune'; readonly policy: RetentionPolicy; readonly now: number }

export interface StoredBatch {
  readonly epoch: Epoch
  readonly first: number
  readonly last: number
  readonly lines: string
}

/** What became of one write, where there is more to say than that it is done. */
export type Outcome =
  | { readonly type: 'refused'; readonly why: 'stale_owner' | 'run_ended' | 'run_unknown' | 'run_exists' }
  | { readonly type: 'created'; readonly no: number }
  | { readonly type: 'existing' | 'conflict'; readonly run: RunId }
  | { readonly type: 'taken'; readonly epoch: Epoch; readonly from: number; readonly durability: Durability }
  | { readonly type: 'missed' }
  /** `more`: the policy does not hold yet. */
  | ({ readonly type: 'pruned'; readonly more: boolean } & Pruned)

export type GroupAnswer =
  | {
      readonly type: 'committed'
      /** Outcomes by index in the group. */
      readonly outcomes: readonly (readonly [index: number, outcome: Outcome])[]
      /** True if another process wrote since the last group. */
      readonly others: boolean
    }
  /** Nothing of the group is stored. `stopped`: nothing ever will be again. */
  | { readonly type: 'failed'; readonly errcode: number | undefined; readonly text: string; readonly stopped: boolean }

/** To the writer thread: a group, or the wish that it ends. */
export type ToWriter = WriteGroup | 'close'
