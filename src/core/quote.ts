/** What a message says of a text that somebody else chose: in quotes, without line ends, and at most 80 characters of it. */
export function quoted(text: string): string {
  const head = text.length <= 80 ? text : `${text.slice(0, 79).replace(/[\uD800-\uDBFF]$/, '')}…`
  return JSON.stringify(head)
}
