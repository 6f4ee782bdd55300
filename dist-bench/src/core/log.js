/** First line of a prompt, for lists: at most 80 characters. */
export function titleOf(prompt) {
    const line = prompt.trimStart().split('\n', 1)[0].trimEnd();
    // Cut off, never through, a surrogate pair.
    return line.length <= 80 ? line : `${line.slice(0, 79).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
