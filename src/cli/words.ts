/** Ids, times and sizes as people read them. */

/** The end of an id: its beginning is the time, which its neighbours share. Accepted wherever a run is named. */
export const shortId = (id: string) => id.slice(-8)

/** `0.31s`, `12.4s`, `3m05s`, `2h07m`. */
export function durationOf(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 10) return `${seconds.toFixed(2)}s`
  if (seconds < 60) return `${seconds.toFixed(1)}s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)}m${pad(whole % 60)}s`
  return `${Math.floor(whole / 3600)}h${pad(Math.floor((whole % 3600) / 60))}m`
}

/** How long ago a Unix time in milliseconds was: `8s`, `5m`, `3h`, `12d`. */
export function agoOf(time: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - time) / 1000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

const pad = (n: number) => String(n).padStart(2, '0')

const DURATIONS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Milliseconds of `90s`, `15m`, `12h`, `30d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(s|m|h|d)$/.exec(text)
  return match ? Number(match[1]) * DURATIONS[match[2] as keyof typeof DURATIONS] : undefined
}

const SIZES = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 } as const

/** Bytes of `500M`, `2GB`, `4096`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12})(?:([kmg])b?)?$/i.exec(text)
  return match ? Number(match[1]) * (match[2] ? SIZES[match[2].toLowerCase() as keyof typeof SIZES] : 1) : undefined
}
