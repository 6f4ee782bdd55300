import { says, type Script } from '../../../src/testing/scripted-provider.ts'

/** A provider whose first answer, "One two", begins when the test says so; then it gives the later ones. */
export interface Held {
  readonly scripts: Script[]
  readonly release: () => void
}

export function held(...later: Script[]): Held {
  let release!: () => void
  const wait = new Promise<void>((resolve) => {
    release = resolve
  })
  const [start, ...rest] = says('One', ' two')
  return { scripts: [[start!, { wait }, ...rest], ...later], release }
}
