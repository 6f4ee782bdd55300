/** Ours are `call00001` and so on: the nine letters and digits that Mistral asks for in a history. */
export function callIds(messages) {
    const used = new Set();
    for (const message of messages) {
        if (message.role !== 'assistant')
            continue;
        for (const part of message.parts)
            if (part.type === 'tool_call')
                used.add(part.call_id);
    }
    let made = 0;
    const take = (wanted) => {
        let id = wanted;
        while (id === '' || used.has(id))
            id = `call${String(++made).padStart(5, '0')}`;
        used.add(id);
        return id;
    };
    return { take };
}
