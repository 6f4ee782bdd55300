/** What servers say about an answer beside the answer: its sources, and what a filter found in it. */
import type { Citation } from '../../core/event.ts'
import type { ProviderEvent } from '../../core/provider.ts'
import { isRecord, type JsonRecord } from '../../wire/json.ts'
import { countOf } from '../shared/count.ts'

export type SafetyEvent = Extract<ProviderEvent, { type: 'safety' }>

/** Perplexity: the addresses in `citations`, with titles in `search_results`; the whole list stands in every chunk. */
export function citationsOf(chunk: JsonRecord): readonly Citation[] {
  const results = Array.isArray(chunk['search_results']) ? chunk['search_results'].filter(isRecord) : []
  const titles = new Map(results.map((result) => [result['url'], result['title']]))
  const uris: readonly unknown[] = Array.isArray(chunk['citations']) ? chunk['citations'] : [...titles.keys()]
  return uris
    .filter((uri) => typeof uri === 'string')
    .map((uri) => {
      const title = titles.get(uri)
      return typeof title === 'string' && title !== '' ? { uri, title } : { uri }
    })
}

/** OpenAI's and OpenRouter's web search: `delta.annotations` of type `url_citation`. */
export function annotationsOf(annotations: unknown): readonly Citation[] {
  if (!Array.isArray(annotations)) return []
  return annotations.flatMap((annotation) => {
    const cited = isRecord(annotation) ? annotation['url_citation'] : undefined
    if (!isRecord(cited) || typeof cited['url'] !== 'string') return []
    const { url, title } = cited
    const start = countOf(cited['start_index'])
    const end = countOf(cited['end_index'])
    return [
      {
        uri: url,
        ...(typeof title === 'string' && title !== '' ? { title } : {}),
        ...(start === undefined ? {} : { start }),
        ...(end === undefined ? {} : { end }),
      },
    ]
  })
}

/** Azure, of the prompt: `prompt_filter_results`, one entry per prompt. */
export function promptFindings(results: unknown): readonly SafetyEvent[] {
  if (!Array.isArray(results)) return []
  return results.flatMap((result) => (isRecord(result) ? filterFindings(result['content_filter_results']) : []))
}

/** Azure, of the answer so far: the categories of `content_filter_results` in which something was found. */
export function filterFindings(results: unknown): readonly SafetyEvent[] {
  if (!isRecord(results)) return []
  return Object.entries(results).flatMap(([category, finding]): SafetyEvent[] => {
    if (!isRecord(finding)) return []
    if (finding['filtered'] === true) return [{ type: 'safety', category, action: 'block' }]
    return finding['detected'] === true ? [{ type: 'safety', category, action: 'warn' }] : []
  })
}
