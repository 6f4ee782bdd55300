import { RunletError } from '../core/error.ts'
import type { Api, Voice } from './apis/api.ts'
import { type Recording, readFolder } from './recordings.ts'
import type { Script, ScriptSource } from './script.ts'
import { ownModels } from './scripts/index.ts'

/** Something that can be asked for. */
export interface SimModel {
  readonly name: string
  readonly description: string
  /** The APIs that answer for it: their paths. */
  readonly paths: readonly string[]
}

/** What plays when a model is asked for. */
export type Part =
  | { readonly type: 'script'; readonly source: ScriptSource; readonly voice: Voice }
  | { readonly type: 'recording'; readonly recording: Recording }

export interface Repertoire {
  /** Every model, the simulator's own first. `lorem-N` is listed once. */
  readonly models: readonly SimModel[]
  /**
   * What plays for `name` on one API. Throws `not_found` with reason `model_not_found`, and `invalid_request` with
   * `wrong_route` for a recording of another API.
   */
  find(name: string, api: Api): Part
}

/** The simulator's own models, those given, and those of the folders; a later one of the same name wins. */
export async function repertoire(
  apis: readonly Api[],
  options: { readonly dirs: readonly string[]; readonly scripts: Readonly<Record<string, Script>> },
): Promise<Repertoire> {
  const scripts = new Map<string, Script>(Object.entries(options.scripts))
  const recordings = new Map<string, Recording[]>()
  for (const dir of options.dirs) {
    const folder = await readFolder(dir)
    for (const [name, script] of folder.scripts) scripts.set(name, script)
    for (const recording of folder.recordings) {
      const others = (recordings.get(recording.name) ?? []).filter(({ kind }) => kind !== recording.kind)
      recordings.set(recording.name, [...others, recording])
    }
  }
  const spoken = apis.filter(({ voice }) => voice).map(({ path }) => path)
  const models = [
    ...ownModels.map(({ name, description }) => ({ name, description, paths: spoken })),
    ...[...scripts].map(([name, { description }]) => ({ name, description: description ?? 'a script', paths: spoken })),
    ...[...recordings].map(([name, takes]) => {
      const titles = takes.map(({ kind }) => apis.find((api) => api.kind === kind)?.title ?? 'an unknown API')
      return { name, description: `recording of ${titles.join(', ')}`, paths: pathsOf(takes, apis) }
    }),
  ]

  return {
    models,
    find(asked, api) {
      // Ollama's clients add a tag.
      const name = asked.replace(/:latest$/, '')
      const takes = recordings.get(name)
      const recording = takes?.find((take) => playable(take, api))
      if (recording) return { type: 'recording', recording }
      const script = scripts.get(name)
      const source = script ? () => script : ownScript(name)
      if (takes && !(source && api.voice)) throw wrongRoute(name, pathsOf(takes, apis))
      if (!source) throw unknownModel(asked)
      if (!api.voice) throw wrongRoute(name, spoken)
      return { type: 'script', source, voice: api.voice }
    },
  }
}

function ownScript(name: string): ScriptSource | undefined {
  const bare = name.replace(/^sim\//, '')
  for (const model of ownModels) {
    const match = model.pattern.exec(bare)
    if (match) return (ask) => model.script(ask, match)
  }
  return undefined
}

function playable(recording: Recording, api: Api): boolean {
  return recording.kind === undefined ? recording.framing === api.framing : recording.kind === api.kind
}

function pathsOf(takes: readonly Recording[], apis: readonly Api[]): string[] {
  return apis.filter((api) => takes.some((take) => playable(take, api))).map(({ path }) => path)
}

function wrongRoute(name: string, paths: readonly string[]): RunletError {
  return new RunletError('invalid_request', {
    reason: 'wrong_route',
    message: `the model ${name} is not played here; ask for it at POST ${paths.join(' or POST ')}`,
  })
}

function unknownModel(name: string): RunletError {
  return new RunletError('not_found', { reason: 'model_not_found', message: `model '${name.slice(0, 200)}' not found` })
}
