import type { Target } from '../table.ts'
import type { Group } from './group.ts'
import { cpuNs, jobRows } from './jobs.ts'

/** What plan G asks of a machine of its own. */
const atMost = (ns: number): { readonly target: Target } => ({ target: { of: 'figure', atMost: ns } })

export const micro: Group = {
  title: 'single steps',
  async run(lab) {
    return [
      {
        title: 'micro: single steps, in batches of 64',
        unit: 'ns of CPU per event',
        rows: await jobRows(
          lab,
          [
            { job: 'micro.sse', title: 'SSE frame, from the stored line to bytes', role: 'runlet', ...atMost(79) },
            { job: 'micro.sse.mixed', title: 'the same, text beyond ASCII', role: 'runlet' },
            { job: 'micro.ndjson', title: 'NDJSON line, from the event to bytes', role: 'runlet', ...atMost(234) },
            { job: 'micro.ndjson.mixed', title: 'the same, text beyond ASCII', role: 'runlet' },
            { job: 'micro.stringify', title: 'the same with JSON.stringify', role: 'limit' },
            { job: 'micro.normalise', title: 'normalise, parsed chunk → event', role: 'runlet', ...atMost(50) },
            { job: 'micro.json-parse', title: 'JSON.parse of the chunk before it', role: 'limit' },
            { job: 'micro.classify', title: 'classify an error by status', role: 'runlet', ...atMost(30) },
            { job: 'micro.typed-error', title: 'the typed error, its stack included', role: 'runlet' },
            { job: 'micro.bare-error', title: 'new Error, its stack included', role: 'limit' },
            { job: 'micro.run-id', title: 'run id', role: 'runlet', ...atMost(200) },
            { job: 'micro.fold', title: 'fold', role: 'runlet' },
            { job: 'micro.metrics', title: 'metrics, of an append of 64 events', role: 'runlet' },
            { job: 'micro.metrics.single', title: 'the same, of an append of one', role: 'runlet' },
          ],
          cpuNs,
        ),
      },
    ]
  },
}
