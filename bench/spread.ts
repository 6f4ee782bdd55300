/** The middle of some samples, and how far they lie apart. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spread(samples: readonly number[]): Spread {
  const sorted = Float64Array.from(samples).toSorted()
  return { median: percentile(sorted, 50), min: sorted[0] ?? NaN, max: sorted.at(-1) ?? NaN }
}

/** By linear interpolation; NaN of nothing. */
export function percentile(sorted: Float64Array, percent: number): number {
  const place = ((sorted.length - 1) * percent) / 100
  const below = sorted[Math.floor(place)]
  const above = sorted[Math.ceil(place)]
  if (below === undefined || above === undefined) return NaN
  return below + (above - below) * (place - Math.floor(place))
}
