import type { Config } from '../config/load.ts'
import { isRunletError, RunletError } from '../core/error.ts'
import { resolveModel } from '../engine/prepare.ts'
import type { Powers } from './store-backend.ts'

/**
 * Refuses a default model that no request could be answered with, and says where it stands. Whether the provider has
 * the model is not asked. Throws `not_found` with reason `model_unknown`.
 */
export function checkDefaultModel({ model, specialists, where }: Config, powers: Powers): void {
  // A specialist is for "ask" to resolve.
  if (!model || Object.hasOwn(specialists, model.name)) return
  try {
    resolveModel(model.name, powers)
  } catch (cause) {
    if (!isRunletError(cause)) throw cause
    const places = { flag: '--model', file: where('default_model'), environment: 'RUNLET_MODEL' }
    const { code, reason, message } = cause
    throw new RunletError(code, { reason, message: `${places[model.from]}: ${message}`, cause })
  }
}
