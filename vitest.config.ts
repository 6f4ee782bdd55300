import { defineConfig } from 'vitest/config'

// `*.slow.test.ts`: kill loops, crash points, every byte of every fixture, browsers. `npm run check` leaves them out.
const slow = 'test/**/*.slow.test.ts'

export default defineConfig({
  test: {
    pool: 'threads',
    isolate: false,
    projects: [
      { extends: true, test: { name: 'fast', include: ['test/**/*.test.ts'], exclude: [slow], testTimeout: 30_000 } },
      { extends: true, test: { name: 'slow', include: [slow], testTimeout: 600_000, hookTimeout: 120_000 } },
    ],
  },
})
