import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

const folder = fileURLToPath(new URL('../dist/web', import.meta.url))

/** Removes what earlier builds left, once the files of this one are there: a server that starts meanwhile finds a page. */
const sweep: Plugin = {
  name: 'sweep',
  writeBundle(_, bundle) {
    const assets = join(folder, 'assets')
    for (const file of readdirSync(assets)) if (!bundle[`assets/${file}`]) rmSync(join(assets, file), { force: true })
  },
}

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  logLevel: 'warn',
  plugins: [sweep],
  build: {
    outDir: folder,
    emptyOutDir: false,
    target: 'es2023',
    // The page's rules for its own contents allow neither inline scripts nor `data:` addresses.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
})
