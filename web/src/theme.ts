/** Light, dark, or as the system has it. */

const KEY = 'runlet.theme'
const themes = ['system', 'light', 'dark'] as const

export type Theme = (typeof themes)[number]

export function theme(): Theme {
  const kept = localStorage.getItem(KEY)
  return themes.find((one) => one === kept) ?? 'system'
}

export function applyTheme(wanted: Theme = theme()): void {
  if (wanted === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = wanted
}

/** The other of what is seen: from the system's to its opposite, and back to the system's where that is the same. */
export function switchTheme(): Theme {
  const systemDark = matchMedia('(prefers-color-scheme: dark)').matches
  const kept = theme()
  const dark = kept === 'system' ? systemDark : kept === 'dark'
  const next: Theme = dark === systemDark ? (dark ? 'light' : 'dark') : 'system'
  localStorage.setItem(KEY, next)
  applyTheme(next)
  return next
}
