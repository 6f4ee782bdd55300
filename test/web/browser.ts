import { chromium, type Browser } from 'playwright-core'
import { findProgram } from '../system/packages.ts'

/** Where the browser is; undefined if the suites that need one have to be skipped. */
export const browserPath = findProgram('chromium')

/** A headless Chromium, whose profile is its own and is gone when it closes. */
export function launchBrowser(): Promise<Browser> {
  if (browserPath === undefined)
    throw new Error('there is no Chromium here: skip the suite where browserPath is undefined')
  return chromium.launch({
    executablePath: browserPath,
    // Its sandbox refuses to be made by root, which tests in containers are.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  })
}
