import { describe, expect, test } from 'vitest'
import { titleOf } from '../../src/core/log.ts'
import type { Message } from '../../src/core/message.ts'
import { contentText, textOf } from '../../src/core/message.ts'

describe('the visible text', () => {
  const cases: [name: string, message: Message, text: string][] = [
    ['of a system message is its content', { role: 'system', content: 'Be brief.' }, 'Be brief.'],
    ['of a user message is its content, space and all', { role: 'user', content: ' \n' }, ' \n'],
    [
      'of an assistant message is its text, without reasoning and calls',
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'hm' },
          { type: 'text', text: 'a' },
          { type: 'tool_call', call_id: 'c', name: 'clock', input: {} },
          { type: 'text', text: 'b' },
        ],
      },
      'ab',
    ],
    ['of an assistant that said nothing is empty', { role: 'assistant', parts: [] }, ''],
    [
      'of a tool message is what the model reads',
      { role: 'tool', call_id: 'c', name: 'clock', content: { hour: 12 }, is_error: false },
      '{"hour":12}',
    ],
  ]
  for (const [name, message, text] of cases) test(name, () => expect(textOf(message)).toBe(text))
})

test('an outcome is read as it is when it is a string, else as JSON', () => {
  expect([contentText('noon'), contentText(''), contentText(null), contentText([1, 'a']), contentText(false)]).toEqual([
    'noon',
    '',
    'null',
    '[1,"a"]',
    'false',
  ])
})

describe('the title of a prompt', () => {
  const cases: [name: string, prompt: string, title: string][] = [
    ['is its first line', 'Hello\nworld', 'Hello'],
    ['passes over blank lines before it', '\n \r\n  Hello \r\nworld', 'Hello'],
    ['of eighty characters is left whole', 'x'.repeat(80), 'x'.repeat(80)],
    ['that is longer ends in an ellipsis and has eighty', 'x'.repeat(81), `${'x'.repeat(79)}…`],
    ['is never cut through an emoji', `${'x'.repeat(78)}👩👩👩`, `${'x'.repeat(78)}…`],
    ['of nothing is nothing', ' \n ', ''],
  ]
  for (const [name, prompt, title] of cases) test(name, () => expect(titleOf(prompt)).toBe(title))
})
