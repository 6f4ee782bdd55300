/** Throws unless a job made what it should have made. */
export function expectSame(what, actual, expected) {
    if (actual === expected)
        return;
    throw new Error(`${what} is not what it should be: ${excerpt(actual)} instead of ${excerpt(expected)}`);
}
function excerpt(value) {
    const text = String(value);
    return text.length <= 60
        ? JSON.stringify(text)
        : `${text.length} characters that end ${JSON.stringify(text.slice(-40))}`;
}
