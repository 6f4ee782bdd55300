import type { Route } from './env.ts'
import { listChoices } from './choices.ts'
import { readEvents } from './events.ts'
import { health } from './health.ts'
import { showMetrics } from './metrics.ts'
import { sendToRun } from './input.ts'
import { readSeveral } from './multiplex.ts'
import { chatCompletions } from './openai/chat.ts'
import { listModels, showModel } from './openai/models.ts'
import { openApiRoute } from './openapi.ts'
import { logIn, logOut, makePageLink, showPageSession } from './page-login.ts'
import { showAsset, showPage } from './page.ts'
import { makeRunToken } from './run-token.ts'
import { cancelRun, listRuns, showRun, showSession } from './runs.ts'
import { startRun } from './start-run.ts'

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
