import type { Cut } from '../jobs/parse.ts'
import type { Lab } from '../lab.ts'
import type { Table } from '../table.ts'
import type { Group } from './group.ts'
import { cpuNs, jobRows } from './jobs.ts'

const reads = { event: 'one event per read', burst: 'reads of 16 KiB' } as const satisfies Record<Cut, string>

export const parse: Group = {
  title: 'bytes of a provider stream → events',
  async run(lab) {
    return [await table(lab, 'event'), await table(lab, 'burst')]
  },
}

async function table(lab: Lab, cut: Cut): Promise<Table> {
  return {
    title: `parse: OpenAI Chat Completions, ${reads[cut]}`,
    unit: 'ns of CPU per token',
    rows: await jobRows(
      lab,
      [
        { job: `parse.${cut}.hand`, title: 'by hand', role: 'baseline' },
        { job: `parse.${cut}.openai-sdk`, title: 'openai SDK, Stream', role: 'peer' },
        { job: `parse.${cut}.ai-sdk`, title: 'AI SDK, streamText', role: 'peer' },
        {
          job: `parse.${cut}.runlet`,
          title: 'Runlet, openai-chat',
          role: 'runlet',
          target: { of: 'ratio', atMost: 1.5 },
        },
      ],
      cpuNs,
    ),
  }
}
