/** Models that call tools which the request offers, and answer once the results are there. */
import type { ToolSpec } from '../../core/tool.ts'
import { type Ask, type Script, freshResults } from '../script.ts'
import type { OwnModel } from './model.ts'
import { sampleInput } from './sample-input.ts'

const PREFERRED = 'current_time'
const MAX_CALLS = 8

export const oneTool: OwnModel = {
  name: 'tools',
  description: 'calls one offered tool (current_time if it can), then answers with its result',
  pattern: /^tools$/,
  script: (ask) => answer(ask) ?? calling(ask, [preferred(ask.tools)], 'Let me look that up.'),
}

export const parallelTools: OwnModel = {
  name: 'tools-parallel',
  description: 'calls every offered tool at once, a single one twice, then answers with the results',
  pattern: /^tools-parallel$/,
  script: (ask) => {
    const calls = ask.tools.length === 1 ? [ask.tools[0]!, ask.tools[0]!] : ask.tools.slice(0, MAX_CALLS)
    return answer(ask) ?? calling(ask, calls, 'Let me ask all of them.')
  },
}

export const endlessTools: OwnModel = {
  name: 'tools-forever',
  description: 'calls a tool again after every result, and never answers',
  pattern: /^tools-forever$/,
  script: (ask) => noTools(ask) ?? calling(ask, [preferred(ask.tools)], 'Once more.'),
}

function answer(ask: Ask): Script | undefined {
  const results = freshResults(ask)
  if (results.length === 0) return noTools(ask)
  const lines = results.map(({ name, text }) => `- ${name ? `\`${name}\`` : 'the tool'} says: ${text}`)
  return { steps: [{ text: `${results.length === 1 ? 'Here it is' : 'Here they are'}:\n\n${lines.join('\n')}\n` }] }
}

function noTools(ask: Ask): Script | undefined {
  if (ask.tools.length > 0) return undefined
  return { steps: [{ text: 'I would call a tool, but this request offers none.' }] }
}

function calling(ask: Ask, tools: readonly ToolSpec[], preface: string): Script {
  return {
    steps: [
      { text: preface },
      ...tools.map(({ name, parameters }) => ({ tool_call: { name, input: sampleInput(parameters, ask.prompt) } })),
    ],
  }
}

function preferred(tools: readonly ToolSpec[]): ToolSpec {
  return tools.find(({ name }) => name === PREFERRED) ?? tools[0]!
}
