import { readEvents } from './events.js';
import { health, listModels } from './models.js';
import { cancelRun, listRuns, showRun, showSession } from './runs.js';
import { startRun } from './start-run.js';
/** Everything that the server answers. The security tests go through this table. */
export const routes = [
    startRun,
    listRuns,
    showRun,
    readEvents,
    cancelRun,
    showSession,
    listModels,
    health,
];
