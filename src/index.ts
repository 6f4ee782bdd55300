/**
 * Runlet as a library: a runtime put together from providers, a log and tools. Each provider, store, format and server
 * is an entry of its own (`runlet/providers/openai-chat`, `runlet/logs/sqlite`, `runlet/http`).
 */
export { createRuntime } from './engine/runtime.ts'
export type { Diagnostic, Run, Runtime, RuntimeOptions } from './engine/runtime.ts'
export type { Limits } from './engine/limits.ts'
export type { StartRequest } from './engine/request.ts'
export { Batch } from './core/batch.ts'
export { formatCursor, parseCursor, type Cursor } from './core/cursor.ts'
export { RunletError, isRunletError, type ErrorCode } from './core/error.ts'
export type { Entry, RunEvent, Usage } from './core/event.ts'
export { emptyView, fold, outputText, type RunView } from './core/fold.ts'
export { textOf, type Message } from './core/message.ts'
export type { Log, RunHeader } from './core/log.ts'
export type { Provider, ProviderEvent } from './core/provider.ts'
export type { Tool, ToolContext } from './core/tool.ts'
