import type { Provider } from '../core/provider.ts'

/** Puts something around a provider: what comes out is a provider as well, so that wrappers go around wrappers. */
export type Wrapper = (provider: Provider) => Provider

/** The provider with another `stream`. */
export const withStream = (provider: Provider, stream: Provider['stream']): Provider => ({
  api: provider.api,
  capabilities: provider.capabilities,
  stream,
  models: (options) => provider.models(options),
})
