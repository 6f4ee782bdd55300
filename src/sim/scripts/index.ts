/** The simulator's own models, as they are listed. */
import { hello } from './hello.ts'
import type { OwnModel } from './model.ts'
import { cutShort, echo, empty, filtered, lorem, reasoning, refusal, slow } from './prose.ts'
import { endlessTools, oneTool, parallelTools } from './tools.ts'

export const ownModels: readonly OwnModel[] = [
  hello,
  echo,
  lorem,
  reasoning,
  oneTool,
  parallelTools,
  endlessTools,
  cutShort,
  refusal,
  filtered,
  slow,
  empty,
]
