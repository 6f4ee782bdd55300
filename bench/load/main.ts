/** The clients: one process that loads a server and counts what comes, so that the server's process does nothing else. */
import { answer } from '../child.ts'
import { startFlood, type Flood, type FloodOptions } from './flood.ts'
import { startFollow, type Following, type FollowOptions } from './follow.ts'
import { readOnce } from './read-once.ts'
import { startPaced, type PacedLoad, type PacedOptions } from './paced.ts'

let flooding: Flood | undefined
let pacing: PacedLoad | undefined
/** The newest is the last; those before stay open until `stopFollow`. */
const following: Following[] = []

function begun<T>(load: T | undefined): T {
  if (load === undefined) throw new Error('no load of this kind was started')
  return load
}

const procedures = {
  flood(options: FloodOptions): void {
    flooding = startFlood(options)
  },
  floodCount: () => begun(flooding).count(),
  stopFlood: (how: { readonly atOnce: boolean }) => begun(flooding).stop(how),

  async pace(options: PacedOptions): Promise<void> {
    pacing = await startPaced(options)
  },
  paceSample: () => begun(pacing).sample(),
  stopPace: () => begun(pacing).stop(),

  async follow(options: FollowOptions): Promise<void> {
    following.push(await startFollow(options))
  },
  readOnce,

  followed: () => begun(following.at(-1)).ended,
  stopFollow(): void {
    for (const readers of following.splice(0)) readers.stop()
  },
}
export type LoadProcedures = typeof procedures

answer(procedures)
