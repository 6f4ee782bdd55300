/** Microseconds on the machine's monotonic clock, which is one for all processes: a stamp may be read in another one. */
export function micros(): number {
  const [seconds, nanos] = process.hrtime()
  return seconds * 1e6 + nanos / 1e3
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
