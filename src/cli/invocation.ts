/** How the reader of a hint can call this program: what is printed must work when it is copied. */
import { realpathSync } from 'node:fs'
import { delimiter, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `runlet` where the shell finds it, `npx runlet` under npx and in the package's own folder, else `node path/to/main.js`. */
export function invocation(env: NodeJS.ProcessEnv = process.env, cwd: string = process.cwd()): string {
  const main = realpathSync(fileURLToPath(new URL('main.js', import.meta.url)))
  if (env['npm_command'] === 'exec') return 'npx runlet'
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && realPath(join(folder, 'runlet')) === main) return 'runlet'
  }
  // A clone: there npx finds what the folder itself is.
  if (realPath(cwd) === join(dirname(main), '../..')) return 'npx runlet'
  const path = relative(cwd, main)
  return `node ${path.startsWith('..') ? main : path}`
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}
