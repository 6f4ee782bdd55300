/** Label values that callers can choose: after so many different ones, the rest are `other`. */
export function boundedLabel(most: number): (value: string) => string {
  const known = new Set<string>()
  return (value) => {
    const label = value.slice(0, 100)
    if (known.has(label)) return label
    if (known.size >= most) return 'other'
    known.add(label)
    return label
  }
}
