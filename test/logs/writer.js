/**
 * A process that writes to a store, for tests that kill, trace or watch it: `node writer.js JSON`. It prints one line
 * per entry, `RUN NUMBER`, with one system call, once the append has resolved. It runs the compiled code.
 */
import { writeSync } from 'node:fs'
import { sqliteLog } from '../../dist/logs/sqlite.js'

const {
  path,
  options,
  /** Prefix of the runs' ids. */
  name = 'run',
  durability = 'sync',
  runs = 1,
  /** Entries of each run; the default goes on for ever. */
  entries = Infinity,
  /** Times that the store is opened, written to and closed. */
  openings = 1,
  /** Print before the append, which no honest log does. */
  early = false,
  /** End with the terminal event. */
  end = false,
} = JSON.parse(process.argv[2])

const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2, accuracy: 'exact' }

for (let opening = 1; opening <= openings; opening++) {
  const log = await sqliteLog(path, options)
  const ids = Array.from({ length: runs }, (_, i) => `${name}-${opening}-${i}`)
  await Promise.all(ids.map((run) => write(log, run)))
  await log.close()
}

async function write(log, run_id) {
  try {
    await log.create({
      start: {
        type: 'start',
        trace_id: 'trace',
        request_id: 'request',
        run_id,
        session_id: name,
        provider: 'sim',
        model: 'test-model',
        durability,
        capabilities: [],
      },
      events: [{ type: 'step.start', step: 1, attempt: 1 }],
      request: { messages: [], prompt: 'Hello?', options: {}, tools: [] },
    })
    for (let n = 1; n <= entries; n++) {
      const append = log.append(run_id, 1, [{ type: 'text.delta', step: 1, text: `${run_id} ${n}` }])
      if (!early) await append
      print(`${run_id} ${n}`)
      await append
    }
    if (end) await log.append(run_id, 1, [{ type: 'finish', usage, finish_reason: 'stop' }])
  } catch (error) {
    print(`${run_id} failed ${error.code} ${error.reason}`)
  }
}

/** The pipe does not block: while it is full, this thread sleeps. */
function print(line) {
  for (;;) {
    try {
      writeSync(1, `${line}\n`)
      return
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}
