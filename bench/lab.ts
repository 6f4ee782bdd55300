import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild, type Child } from './child.ts'
import type { HostProcedures } from './host/main.ts'
import type { JobProcedures } from './jobs/main.ts'
import type { LoadProcedures } from './load/main.ts'
import type { SourceProcedures } from './source/main.ts'

export interface LabOptions {
  /** One short round of each, to see that everything runs. */
  readonly quick: boolean
  /** Where CPU profiles of the measured processes go; none are made without it. */
  readonly profiles?: string | undefined
}

/** What a group of rows measures with: processes, each for one thing, and folders. Everything is gone after `close`. */
export interface Lab {
  readonly quick: boolean
  readonly rounds: number
  /** Base URL of a source of that kind, `flood/1000` or `paced/50`, as an OpenAI-compatible API. */
  sourceUrl(kind: string): Promise<string>
  /** The clients. Loads of one kind may not overlap. */
  load(): Child<LoadProcedures>
  /** A process for one server. Its name is that of the folder of its CPU profiles. */
  host(name: string): Child<HostProcedures>
  /** A process for one piece of work. */
  job(name: string): Child<JobProcedures>
  /** An empty folder, on the disk that holds the system's temporary files. */
  folder(): string
  close(): Promise<void>
}

export function openLab({ quick, profiles }: LabOptions): Lab {
  const children = new Set<Child<never>>()
  const folders: string[] = []
  let load: Child<LoadProcedures> | undefined
  let port: Promise<number> | undefined

  function start<Known extends Child<never>>(child: Known): Known {
    children.add(child)
    return child
  }
  const measured = (module: string, name: string) => ({
    module,
    profileFolder: profiles === undefined ? undefined : join(profiles, name),
  })

  return {
    quick,
    rounds: quick ? 1 : 5,
    async sourceUrl(kind) {
      port ??= start(startChild<SourceProcedures>({ module: 'source/main.js' })).call('start')
      return `http://127.0.0.1:${await port}/${kind}`
    },
    load: () => (load ??= start(startChild<LoadProcedures>({ module: 'load/main.js' }))),
    host: (name) => start(startChild<HostProcedures>(measured('host/main.js', name))),
    job: (name) => start(startChild<JobProcedures>(measured('jobs/main.js', name))),
    folder() {
      const folder = mkdtempSync(join(tmpdir(), 'runlet-bench-'))
      folders.push(folder)
      return folder
    },
    async close() {
      await Promise.all([...children].map((child) => child.stop()))
      for (const folder of folders) rmSync(folder, { recursive: true, force: true })
    },
  }
}
