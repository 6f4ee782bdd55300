#!/usr/bin/env node
import { createProgram } from './program.ts'
import { reportError, statusOfError } from './report.ts'

const program = createProgram()
try {
  await program.parseAsync()
} catch (thrown) {
  reportError(thrown, { verbose: program.opts<{ verbose?: boolean }>().verbose ?? false })
  process.exitCode = statusOfError(thrown)
}
