import type { Route } from './env.ts'
import { readEvents } from './events.ts'
import { health, listModels } from './models.ts'
import { cancelRun, listRuns, showRun, showSession } from './runs.ts'
import { startRun } from './start-run.ts'

/** Everything that the server answers. The security tests go through this table. */
export const routes: readonly Route[] = [
  startRun,
  listRuns,
  showRun,
  readEvents,
  cancelRun,
  showSession,
  listModels,
  health,
]
