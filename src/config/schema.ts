/** What a `runlet.toml` may say. Unknown keys are refused: a mistyped key that is ignored is a setting that is lost. */
import { z } from 'zod'
import { nearest } from '../core/near.ts'

const nameText = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'is no name: use letters, digits, "_", "-" and ".", at most 64')
const model = z.string().min(1, 'is empty; name a model as provider/model, or an alias')
const url = z.string().refine(isPlainUrl, 'is not an http:// or https:// URL without a user name and a password')
const milliseconds = z.int().min(1, 'must be at least 1')
const count = z.int().min(1, 'must be at least 1')

const provider = z.strictObject({
  /** A row of `providers/index.ts`. */
  api: z.string().optional(),
  base_url: url.optional(),
  server: z.enum(['llama.cpp', 'vllm', 'ollama']).optional(),
  /** What ends an answer: see `ChatDialect.endMark`. */
  end_mark: z.enum(['done', 'finish_reason']).optional(),
  api_key_env: z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]*$/,
      'is not the name of an environment variable; the key itself does not belong here',
    )
    .optional(),
})

const specialist = z.strictObject({
  model: model.optional(),
  url: url.optional(),
  system: z.string().optional(),
  aliases: z.array(nameText).optional(),
})

const limits = z.strictObject({
  first_content_ms: milliseconds.optional(),
  idle_ms: milliseconds.optional(),
  tool_ms: milliseconds.optional(),
  steps: count.optional(),
  attempts: count.optional(),
  parallel_tools: count.optional(),
})

const file = z.strictObject({
  default_model: model.optional(),
  tools: z.array(z.string()).optional(),
  providers: z.record(nameText, provider).optional(),
  aliases: z.record(nameText, model).optional(),
  specialists: z.record(nameText, specialist).optional(),
  limits: limits.optional(),
})

export type ConfigFile = z.infer<typeof file>

export interface Complaint {
  readonly path: readonly PropertyKey[]
  /** What is wrong with the value at `path`, beginning with the key. */
  readonly what: string
}

/** The checked file, or everything that is wrong with it in the order of the file's schema. */
export function checkConfig(value: unknown): { readonly file: ConfigFile } | { readonly complaints: Complaint[] } {
  const result = file.safeParse(value)
  if (!result.success) return { complaints: result.error.issues.flatMap(complaintsOf) }
  const complaints = Object.entries(result.data.specialists ?? {})
    .filter(([, { model: asked, url: at }]) => (asked === undefined) === (at === undefined))
    .map(([key]) => ({ path: ['specialists', key], what: `specialists.${key} needs a model or a url, and not both` }))
  return complaints.length > 0 ? { complaints } : { file: result.data }
}

function complaintsOf(issue: z.core.$ZodIssue): Complaint[] {
  const { path } = issue
  const key = path.map(String).join('.')
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((unknown) => {
        const meant = nearest(unknown, keysAt(path))
        const hint = meant ? `did you mean "${meant}"?` : `known here: ${keysAt(path).join(', ')}`
        return { path: [...path, unknown], what: `unknown key "${unknown}"; ${hint}` }
      })
    case 'invalid_type':
      return [{ path, what: `${key} must be ${articleOf(issue.expected)}` }]
    case 'invalid_value':
      return [{ path, what: `${key} must be one of ${issue.values.map(String).join(', ')}` }]
    case 'invalid_key':
      return [{ path, what: `${key} ${issue.issues[0]?.message ?? 'is no name'}` }]
    default:
      return [{ path, what: `${key} ${issue.message}` }]
  }
}

/** The keys that may stand in the table at `path`. */
function keysAt(path: readonly PropertyKey[]): string[] {
  const tables: Record<string, { shape: object }> = { providers: provider, specialists: specialist, limits }
  const table = path.length === 0 ? file : tables[String(path[0])]
  return Object.keys(table?.shape ?? {})
}

const articles: Readonly<Record<string, string>> = {
  string: 'a string',
  array: 'an array',
  object: 'a table',
  record: 'a table',
  int: 'a whole number',
  number: 'a number',
}
const articleOf = (type: string) => articles[type] ?? type

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === ''
}

/** The keys of a file that only a trusted one may carry: where requests go, and which secret goes with them. */
export function privilegedKeys(checked: ConfigFile): readonly string[][] {
  const found: string[][] = []
  for (const [name, settings] of Object.entries(checked.providers ?? {})) {
    for (const key of ['base_url', 'api_key_env'] as const) {
      if (settings[key] !== undefined) found.push(['providers', name, key])
    }
  }
  for (const [name, settings] of Object.entries(checked.specialists ?? {})) {
    if (settings.url !== undefined) found.push(['specialists', name, 'url'])
  }
  return found
}
