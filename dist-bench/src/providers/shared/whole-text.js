export function wholeText() {
    let half = '';
    return {
        push(piece) {
            // V8 answers this at once for text without wide characters, which is nearly all there is.
            if (half === '' && piece.isWellFormed())
                return piece;
            let text = half + piece;
            half = '';
            const last = text.charCodeAt(text.length - 1);
            if (last >= 0xd800 && last < 0xdc00) {
                half = text.slice(-1);
                text = text.slice(0, -1);
            }
            return text.toWellFormed();
        },
        end() {
            const rest = half === '' ? '' : '\ufffd';
            half = '';
            return rest;
        },
    };
}
