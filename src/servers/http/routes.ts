import type { Route } from './env.ts'
import { listChoices } from './choices.ts'
import { readEvents } from './runs/events.ts'
import { health } from './health.ts'
import { showMetrics } from './metrics.ts'
import { sendToRun } from './runs/input.ts'
import { readSeveral } from './runs/multiplex.ts'
import { chatCompletions } from './openai/chat.ts'
import { listModels, showModel } from './openai/models.ts'
import { openApiRoute } from './openapi/openapi.ts'
import { logIn, logOut, makePageLink, showPageSession } from './auth/page-login.ts'
import { showAsset, showPage } from './page.ts'
import { makeRunToken } from './auth/run-token.ts'
import { cancelRun, listRuns, showRun, showSession } from './runs/runs.ts'
import { startRun } from './runs/start-run.ts'

/** Everything that the server answers. The security tests go through this table. */
export const routes: readonly Route[] = [
  startRun,
  listRuns,
  showRun,
  readEvents,
  readSeveral,
  sendToRun,
  cancelRun,
  makeRunToken,
  showSession,
  chatCompletions,
  listModels,
  showModel,
  listChoices,
  openApiRoute(() => routes),
  health,
  showMetrics,
  makePageLink,
  logIn,
  showPageSession,
  logOut,
  showPage,
  showAsset,
]
