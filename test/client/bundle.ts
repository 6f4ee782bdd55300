import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** The client as a page would ship it: one minified module, made of everything that `runlet/client` gives. */
export const bundledClient = (): Promise<string> => bundled('../../src/client/client.ts')

/** A module and all that it needs as one. The path is relative to this file. */
export async function bundled(path: string): Promise<string> {
  const entry = fileURLToPath(new URL(path, import.meta.url))
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    root: fileURLToPath(new URL('.', import.meta.url)),
    build: {
      write: false,
      target: 'es2023',
      minify: true,
      modulePreload: false,
      rolldownOptions: { input: entry, preserveEntrySignatures: 'strict' },
    },
  })
  const outputs = Array.isArray(built) ? built : [built]
  const chunks = outputs.flatMap((one) => ('output' in one ? one.output : []))
  if (chunks.length !== 1 || chunks[0]?.type !== 'chunk') throw new Error(`${path} did not become one module`)
  return chunks[0].code
}
