/** A process that does one job in rounds. */
import { answer } from '../child.ts'
import { micros } from '../clock.ts'
import { jobs, type JobName } from './index.ts'
import type { Job, Work } from './job.ts'

export interface RoundResult {
  readonly count: number
  readonly wallUs: number
  /** All threads of the process together. */
  readonly cpuUs: number
}

let work: Work | undefined

const procedures = {
  async prepare(name: JobName, folder: string): Promise<void> {
    const job: Job = await jobs[name]()
    work = await job({ folder })
  },

  /** Works for at least that long. */
  async round(leastMs: number): Promise<RoundResult> {
    if (!work) throw new Error('no job was prepared')
    const cpu = process.cpuUsage()
    const begun = micros()
    let count = 0
    let now = begun
    while (now - begun < leastMs * 1000) {
      count += await work()
      now = micros()
    }
    const { user, system } = process.cpuUsage(cpu)
    return { count, wallUs: now - begun, cpuUs: user + system }
  },
}
export type JobProcedures = typeof procedures

answer(procedures)
