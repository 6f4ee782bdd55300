import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A stretch of network that a test can cut: connections to `port` reach the daemon, until `cut`, and again after `mend`. */
export interface Cuttable {
  readonly port: number
  to(target: number): void
  cut(): void
  mend(): void
  close(): Promise<void>
}

export async function cuttable(): Promise<Cuttable> {
  const open = new Set<Socket>()
  let target = 0
  let whole = true
  const drop = () => {
    for (const socket of open) socket.resetAndDestroy()
  }
  const server = createServer((near) => {
    if (!whole) return void near.resetAndDestroy()
    const far = connect(target, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        open.delete(one)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    to: (port) => void (target = port),
    cut() {
      whole = false
      drop()
    },
    mend: () => void (whole = true),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        drop()
      }),
  }
}
