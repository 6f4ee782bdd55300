import type { Diagnostic } from '../../../engine/runtime.ts'

/** Tells whoever runs the process, on stderr where Node prints its warnings. What is only for information is left out. */
export function warn({ level, code, message, cause }: Diagnostic): void {
  if (level === 'info') return
  const detail = cause instanceof Error ? (cause.stack ?? cause.message) : undefined
  process.emitWarning(message, { type: 'RunletWarning', code, ...(detail === undefined ? {} : { detail }) })
}
