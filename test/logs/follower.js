/** A process that follows a run to its end and prints the text of each entry: `node follower.js JSON`. */
import { writeSync } from 'node:fs'
import { sqliteLog } from '../../dist/logs/sqlite.js'

const { path, run, after, send } = JSON.parse(process.argv[2])

const log = await sqliteLog(path)
if (send) await log.send(run, send)
for await (const batch of log.read(run, { follow: true, ...(after ? { after } : {}) })) {
  for (const { seq, event } of batch.entries) writeSync(1, `${seq} ${event.text ?? event.type}\n`)
}
await log.close()
