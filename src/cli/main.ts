#!/usr/bin/env node
import { createProgram } from './program.ts'
import { exitStatus, reportError, statusOfError } from './report.ts'

// A reader that goes away is an ending, not a crash. What a run does about it, its printer decides (`terminal/print.ts`).
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  process.exitCode = code === 'EPIPE' ? exitStatus.readerGone : exitStatus.error
})
process.stderr.on('error', () => {})

const program = createProgram()
try {
  await program.parseAsync()
} catch (thrown) {
  reportError(thrown, { verbose: program.opts<{ verbose?: boolean }>().verbose ?? false })
  process.exitCode = statusOfError(thrown)
}
