/** The suite is worth something only if a log that breaks a promise fails it: each of these does, in the case named. */
import { expect, test } from 'vitest'
import { Batch } from '../../src/core/batch.ts'
import type { Gap, Log } from '../../src/core/log.ts'
import { memoryLog, sharedMemory } from '../../src/logs/memory.ts'
import { logCases } from '../../src/testing/log-suite.ts'

type Records = AsyncIterable<Batch | Gap>

/** A log that reads wrongly. `live` is true for what came while a follower waited. */
function reads(change: (record: Batch | Gap, live: boolean) => (Batch | Gap)[]): (log: Log) => Log {
  return (log) => ({
    ...log,
    async *read(run, options): Records {
      let first = true
      for await (const record of log.read(run, options)) {
        yield* change(record, !first && options?.follow === true)
        first = false
      }
    },
  })
}

const broken: [fault: string, failing: string, change: (log: Log) => Log][] = [
  [
    'repeats a batch where the stored part meets the live one',
    'a follower sees each entry once, wherever in the run it begins, here and in another process',
    reads((record, live) => (live ? [record, record] : [record])),
  ],
  [
    'loses a batch where the stored part meets the live one',
    'whatever way appends and pulls fall together, nothing is lost and nothing comes twice',
    reads((record, live) => (live && record.type === 'batch' && record.first === 5 ? [] : [record])),
  ],
  [
    'gives a batch from its beginning to a cursor in the middle',
    'from every cursor, what was read before and what comes after are the whole, while the run goes on and after',
    reads((record) => {
      if (record.type === 'gap' || record.first !== 5) return [record]
      const { run, epoch, entries } = record
      return [Batch.of(run, epoch, [{ ...entries[0]!, seq: 4 }, ...entries])]
    }),
  ],
  [
    'drops what a follower was too slow for',
    'a follower that is far behind catches up exactly and goes on live',
    reads((record) => (record.type === 'batch' && record.first > 500 && record.first < 1000 ? [] : [record])),
  ],
  [
    'dumps the run from the start for a cursor that it does not know',
    'a place that the run does not have is an error, never a guess',
    (log) => ({
      ...log,
      async *read(run, options): Records {
        try {
          for await (const record of log.read(run, options)) yield record
        } catch {
          yield* log.read(run)
        }
      },
    }),
  ],
  [
    'ends a reading with what came after it began',
    'without follow a reading ends at the last entry that was stored when it began',
    (log) => ({
      ...log,
      async *read(run): Records {
        let seq = 0
        for (let more = true; more;) {
          more = false
          for await (const record of log.read(run, { after: { epoch: 0, seq } })) {
            yield record
            seq = record.type === 'gap' ? record.to : record.last
            more = true
          }
        }
      },
    }),
  ],
  [
    'forgets to end the header with the run',
    'the header tells how a run ended: completed, with usage (1)',
    (log) => {
      const stale = new Map<string, Awaited<ReturnType<Log['find']>>>()
      const find: Log['find'] = async (run) => {
        if (!stale.has(run)) stale.set(run, await log.find(run))
        return stale.get(run)
      }
      return { ...log, find }
    },
  ],
  [
    'looks a key up before it takes it, in two steps',
    'a key that was sent fifty times at once makes one run',
    (log) => {
      const known = new Set<string>()
      return {
        ...log,
        async create({ claim, ...run }) {
          if (claim && known.has(claim.key)) return log.create({ ...run, claim })
          await Promise.resolve()
          if (claim) known.add(claim.key)
          return log.create(run)
        },
      }
    },
  ],
  [
    'gives a run to everyone who asks for it',
    'of several that take an orphan over at once, one gets it',
    (log) => ({
      ...log,
      async takeOver(run) {
        await log.takeOver(run)
        return 2
      },
    }),
  ],
  [
    'lets an owner write that lost the run',
    'an epoch that is not the run’s own is refused',
    (log) => ({ ...log, append: (run, _owner, events) => log.append(run, 1, events) }),
  ],
  [
    'takes events behind the terminal one',
    'nothing follows the terminal event, in a later append or in the same one',
    (log) => ({
      ...log,
      append: (run, owner, events) => log.append(run, owner, events.length > 1 ? events.slice(0, 1) : events),
    }),
  ],
  [
    'hands a request over twice',
    'a request reaches the owner of the run once, from its own process and from another, in order',
    (log) => ({
      ...log,
      onRequest: (callback) =>
        log.onRequest((run, request) => {
          callback(run, request)
          callback(run, request)
        }),
    }),
  ],
  [
    'prunes what is young',
    'retention by age takes ended runs, and leaves what says that they were there',
    (log) => ({ ...log, prune: () => log.prune({ maxAgeMs: -1 }) }),
  ],
  [
    'lists the oldest first',
    'lists are newest first and hold what was asked for',
    (log) => ({ ...log, list: async (query) => (await log.list(query)).toReversed() }),
  ],
]

for (const [fault, failing, change] of broken) {
  test(`a log that ${fault} does not pass`, async () => {
    const memory = sharedMemory()
    const place = { open: async (options: object = {}) => change(memoryLog({ ...options, memory })) }
    const logCase = logCases.find(({ name }) => name === failing)
    await expect(logCase?.run(place)).rejects.toThrow()
  })
}
