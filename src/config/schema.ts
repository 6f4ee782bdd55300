/** What a `runlet.toml` may say. Unknown keys are refused: a mistyped key that is ignored is a setting that is lost. */
import { z } from 'zod'
import { nearest } from '../core/near.ts'
import { builtIn } from './providers.ts'

const nameText = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'is no name: use letters, digits, "_", "-" and ".", at most 64')
const model = z.string().min(1, 'is empty; name a model as provider/model, or an alias')
const url = z.string().refine(isPlainUrl, 'is not an http:// or https:// URL without a user name and a password')
const milliseconds = z.int().min(1, 'must be at least 1')
const count = z.int().min(1, 'must be at least 1')
const money = z.number().min(0, 'must not be less than 0')
const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not the name of an environment variable; the key itself does not belong here')

const rateLimit = z.strictObject({
  requests_per_minute: count.optional(),
  tokens_per_minute: count.optional(),
  max_wait_ms: milliseconds.optional(),
  max_queued: count.optional(),
})

const budget = z.strictObject({
  run_tokens: count.optional(),
  run_cost: money.optional(),
  session_tokens: count.optional(),
  session_cost: money.optional(),
})

/** Per million tokens. */
const price = z.strictObject({ input: money, output: money, cached_input: money.optional() })

/** Its pattern is checked where it is compiled. */
const safetyRule = z.strictObject({
  category: nameText,
  words: z.array(z.string().min(1, 'is empty')).optional(),
  pattern: z.string().optional(),
  case_sensitive: z.boolean().optional(),
  action: z.enum(['stop', 'redact']),
  replacement: z.string().optional(),
})

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is no name of a header')
const header = z.union([z.string(), z.strictObject({ env: variable })], {
  error: 'must be a string, or { env = "VARIABLE" }',
})

const provider = z.strictObject({
  /** A row of `providers/index.ts`. */
  api: z.string().optional(),
  base_url: url.optional(),
  server: z.enum(['llama.cpp', 'vllm', 'ollama']).optional(),
  /** What ends an answer: see `ChatDialect.endMark`. */
  end_mark: z.enum(['done', 'finish_reason']).optional(),
  /** See `ChatDialect`. */
  max_tokens_field: z.enum(['max_tokens', 'max_completion_tokens']).optional(),
  ask_usage: z.boolean().optional(),
  reasoning_back: z.boolean().optional(),
  api_key_env: variable.optional(),
  headers: z.record(headerName, header).optional(),
  rate_limit: rateLimit.optional(),
  budget: budget.optional(),
  prices: z.record(z.string(), price).optional(),
  safety: z.array(safetyRule).optional(),
  /** Whether the safety rules hold for reasoning, too. */
  safety_reasoning: z.boolean().optional(),
  /** Longest match of a safety rule. */
  safety_window: z.int().min(1, 'must be at least 1').max(65_536, 'must be at most 65536').optional(),
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
  answer_chars: count.optional(),
  /** How long the daemon keeps an idempotency key. */
  idempotency_ms: milliseconds.optional(),
})

/** Several models: the next is asked where one fails. */
const alias = z.union([model, z.array(model).min(1, 'names no model')], {
  error: 'must be a string, or an array of strings',
})

const file = z.strictObject({
  default_model: model.optional(),
  tools: z.array(z.string()).optional(),
  providers: z.record(nameText, provider).optional(),
  aliases: z.record(nameText, alias).optional(),
  specialists: z.record(nameText, specialist).optional(),
  limits: limits.optional(),
  /** What holds over all providers together. */
  budget: budget.optional(),
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
  const complaints = [...specialistFaults(result.data), ...aliasFaults(result.data)]
  return complaints.length > 0 ? { complaints } : { file: result.data }
}

function specialistFaults({ specialists = {} }: ConfigFile): Complaint[] {
  return Object.entries(specialists)
    .filter(([, { model: asked, url: at }]) => (asked === undefined) === (at === undefined))
    .map(([key]) => ({ path: ['specialists', key], what: `specialists.${key} needs a model or a url, and not both` }))
}

/** A list of models becomes a provider of that name: it cannot have another's, nor name what is none. */
function aliasFaults({ aliases = {}, providers = {} }: ConfigFile): Complaint[] {
  const known = [...Object.keys(builtIn), 'sim', ...Object.keys(providers)]
  return Object.entries(aliases).flatMap(([key, models]) => {
    if (typeof models === 'string') return []
    const path = ['aliases', key]
    const taken = known.includes(key)
      ? [{ path, what: `aliases.${key} lists several models, and there is a provider of that name; take another name` }]
      : []
    const faults = models.flatMap((name, i) => {
      const [named = '', ...rest] = name.split('/')
      if (rest.join('/') !== '' && known.includes(named)) return []
      const meant = rest.join('/') === '' ? undefined : nearest(named, known)
      const hint = meant ? `did you mean "${meant}/${rest.join('/')}"?` : `providers: ${known.join(', ')}`
      return [{ path: [...path, i], what: `aliases.${key}: "${name}" is no provider/model; ${hint}` }]
    })
    return [...taken, ...faults]
  })
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
    case 'invalid_union':
      return unionComplaints(issue, key)
    case 'invalid_value':
      return [{ path, what: `${key} must be one of ${issue.values.map(String).join(', ')}` }]
    case 'invalid_key':
      return [{ path, what: `${key} ${issue.issues[0]?.message ?? 'is no name'}` }]
    default:
      return [{ path, what: `${key} ${issue.message}` }]
  }
}

/** The one way that fits the value's kind has the better complaint; where none fits, all ways are named. */
function unionComplaints(issue: z.core.$ZodIssueInvalidUnion, key: string): Complaint[] {
  const fitting = issue.errors.find((ways) =>
    ways.every(({ code, path }) => code !== 'invalid_type' || path.length > 0),
  )
  if (!fitting) return [{ path: issue.path, what: `${key} ${issue.message}` }]
  return fitting.flatMap((inner) => complaintsOf({ ...inner, path: [...issue.path, ...inner.path] }))
}

/** The keys that may stand in the table at `path`: names and places in arrays are passed over. */
function keysAt(path: readonly PropertyKey[]): string[] {
  const [section, , member] = path.map(String)
  const inProvider: Record<string, { shape: object }> = {
    rate_limit: rateLimit,
    budget,
    prices: price,
    safety: safetyRule,
  }
  const tables: Record<string, { shape: object }> = { providers: provider, specialists: specialist, limits, budget }
  if (section === 'providers' && member === 'headers') return ['env']
  const table =
    section === undefined
      ? file
      : section === 'providers' && member !== undefined
        ? inProvider[member]
        : tables[section]
  return Object.keys(table?.shape ?? {})
}

const articles: Readonly<Record<string, string>> = {
  string: 'a string',
  array: 'an array',
  object: 'a table',
  record: 'a table',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
}
const articleOf = (type: string) => articles[type] ?? type

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === ''
}

/** The keys of a file that only a trusted one may carry: where requests go, what goes with them, and what they cost. */
export function privilegedKeys(checked: ConfigFile): readonly string[][] {
  const found: string[][] = []
  for (const [name, settings] of Object.entries(checked.providers ?? {})) {
    for (const key of ['base_url', 'api_key_env', 'headers', 'prices'] as const) {
      if (settings[key] !== undefined) found.push(['providers', name, key])
    }
  }
  for (const [name, settings] of Object.entries(checked.specialists ?? {})) {
    if (settings.url !== undefined) found.push(['specialists', name, 'url'])
  }
  return found
}
