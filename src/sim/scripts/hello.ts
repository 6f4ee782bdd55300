import type { OwnModel } from './model.ts'

/** What a newcomer sees first: it tells what just happened. */
export const hello: OwnModel = {
  name: 'sim',
  description: 'explains to a newcomer what they just saw',
  pattern: /^(?:sim|hello)$/,
  script: ({ prompt, api }) => ({
    tokens_per_second: 60,
    steps: [
      { text: greeting(prompt) },
      {
        text: `**No model wrote this.** A simulator inside Runlet did, on this machine, without a key and without the network. Everything else was real: a request over HTTP (the ${api} API), a stream of small pieces coming back, and every piece stored *before* Runlet showed it to you.

That is the point of Runlet. An answer is a **run**, a numbered log of events:

1. while \`runlet serve\` runs, close the terminal in mid-sentence: the run goes on without you;
2. come back, and you get the rest: nothing missing, nothing twice;
3. watch it from a second terminal, a web page or an editor at once, each with the same words in the same order;
4. and when something breaks, you are told so, because half an answer never looks like a whole one.

Letters from everywhere arrive whole, however the network cuts them: Grüße, Ελληνικά, русский, 日本語, 한국어, हिन्दी, 👩‍💻 🏳️‍🌈.

Try next:

\`\`\`sh
runlet runs                        # what ran, this answer included
runlet follow RUN                  # any of them again, from any place
runlet ask --model sim/tools --tool all "What time is it?"
\`\`\`

When you have a key or a local model, say \`--model openai/NAME\` or \`--model ollama/NAME\`, and the rest stays as it is. Viel Spaß! ✨
`,
      },
    ],
  }),
}

const SHOWN_CHARACTERS = 80

function greeting(prompt: string): string {
  const line = prompt.replace(/\s+/gu, ' ').trim()
  if (line === '') return '# Hello! 👋\n\n'
  const characters = Array.from(line)
  const shown = characters.length > SHOWN_CHARACTERS ? `${characters.slice(0, SHOWN_CHARACTERS).join('')}…` : line
  return `# Hello! 👋\n\nYou wrote “${shown}”, and here is an answer, word by word.\n\n`
}
