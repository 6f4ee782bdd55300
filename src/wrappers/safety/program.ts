/** Patterns as one list of steps, which a matcher goes through for all of them at once. */
import type { CharacterTest } from './characters.ts'
import { badPattern, type Pattern } from './pattern.ts'

export type Step =
  /** One character, then the next step. */
  | { readonly type: 'character'; readonly test: CharacterTest; readonly pattern: number }
  | { readonly type: 'edge'; readonly is: boolean }
  /** All of these steps, in this order. */
  | { readonly type: 'fork'; readonly to: number[] }
  /** A pattern is complete. */
  | { readonly type: 'match'; readonly pattern: number }

/** Begins at step 0. */
export type Program = readonly Step[]

/** As large as all patterns of one list may become: a matcher looks at each step at most once per character. */
const MAX_STEPS = 20_000

/** Throws `invalid_request` with reason `bad_pattern` where the patterns are too large together. */
export function compile(patterns: readonly Pattern[]): Program {
  const steps: Step[] = []

  function add(step: Step): number {
    if (steps.length === MAX_STEPS) {
      throw badPattern(`the rules are too large together; let less repeat, or fewer times ({n} is n copies)`)
    }
    return steps.push(step) - 1
  }

  function lay(pattern: Pattern, index: number): void {
    switch (pattern.type) {
      case 'character':
        add({ type: 'character', test: pattern.test, pattern: index })
        break
      case 'edge':
        add(pattern)
        break
      case 'sequence':
        for (const part of pattern.parts) lay(part, index)
        break
      case 'choice':
        layChoice(pattern.ways, index)
        break
      case 'repeat':
        layRepeat(pattern, index)
        break
    }
  }

  function layChoice(ways: readonly Pattern[], index: number): void {
    const fork: number[] = []
    const ends: number[][] = []
    add({ type: 'fork', to: fork })
    for (const way of ways) {
      fork.push(steps.length)
      lay(way, index)
      const end: number[] = []
      add({ type: 'fork', to: end })
      ends.push(end)
    }
    for (const end of ends) end.push(steps.length)
  }

  function layRepeat({ of, min, max }: Extract<Pattern, { type: 'repeat' }>, index: number): void {
    for (let n = 0; n < min; n++) lay(of, index)
    if (max === Infinity) {
      const fork: number[] = []
      const loop = add({ type: 'fork', to: fork })
      fork.push(steps.length)
      lay(of, index)
      add({ type: 'fork', to: [loop] })
      fork.push(steps.length)
      return
    }
    const exits: number[][] = []
    for (let n = min; n < max; n++) {
      const fork: number[] = []
      add({ type: 'fork', to: fork })
      fork.push(steps.length)
      exits.push(fork)
      lay(of, index)
    }
    for (const exit of exits) exit.push(steps.length)
  }

  const begin: number[] = []
  add({ type: 'fork', to: begin })
  for (const [index, pattern] of patterns.entries()) {
    begin.push(steps.length)
    lay(pattern, index)
    add({ type: 'match', pattern: index })
  }
  return steps
}
