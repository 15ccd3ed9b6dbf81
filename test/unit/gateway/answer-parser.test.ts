/** Answers taken apart: what is found, and that it never depends on how the stream was cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AnswerParser,
  type AnswerPart,
  type AnswerShape,
} from '../../../agent-server/gateway/answer-parser.ts';
import type { AnswerMessage } from '../../../agent-server/protocol/gateway.ts';

const HERMES: AnswerShape = { reasoning: 'plain', tools: 'hermes', calls: 'several' };
const LLAMA: AnswerShape = { ...HERMES, tools: 'llama3' };
const call = (name: string, given: object) => [name, JSON.stringify(given)];
const RM = '{"name": "rm", "arguments": {"path": "a\\n</tool_call>}\\""}}';

interface Case {
  what: string;
  shape: AnswerShape;
  text: string;
  content?: string;
  reasoning?: string;
  calls?: string[][];
}

const CASES: Case[] = [
  { what: 'plain text', shape: HERMES, text: ' Hello <b>you</b> < \n', content: ' Hello <b>you</b> < \n' },
  {
    what: 'a call after text; the space before it is dropped',
    shape: HERMES,
    text: 'Let me look.\n\n<tool_call>\n{"name": "ls", "arguments": {"b": 1, "a": [true, null]}}\n</tool_call>',
    content: 'Let me look.',
    calls: [call('ls', { b: 1, a: [true, null] })],
  },
  {
    what: 'several calls, one with marks and brackets inside its strings, and text after them',
    shape: HERMES,
    text: `<tool_call>${RM}</tool_call>\n<tool_call>{"name":"b","arguments":{}}</tool_call>\n done`,
    content: 'done',
    calls: [call('rm', { path: 'a\n</tool_call>}"' }), call('b', {})],
  },
  {
    what: 'a list of calls; arguments as JSON in a string; no closing mark at the end',
    shape: HERMES,
    text: '<tool_call>[{"name":"a","arguments":"{\\"x\\":1}"},{"name":"b","parameters":{"y":2}}]',
    calls: [call('a', { x: 1 }), call('b', { y: 2 })],
  },
  {
    what: 'GATE-17: a call that lacks a bracket stays text, the one after it is a call',
    shape: HERMES,
    text: '<tool_call>{"name":"a","arguments":{"x":1}</tool_call>\n<tool_call>{"name":"b"}</tool_call>',
    content: '<tool_call>{"name":"a","arguments":{"x":1}</tool_call>',
    calls: [call('b', {})],
  },
  ...[
    '<tool_call>{"name":"a","arguments":{"x":',
    '<tool_call>',
    'x <tool_ca',
    '<tool_call>none</tool_call>',
    '<tool_call>{"name":1}</tool_call>',
    '<tool_call>{"arguments":{}}</tool_call>',
    '<tool_call>{"name":"a","arguments":[1]}</tool_call>',
    "<tool_call>{'name':'a'}</tool_call> \n",
    '<tool_call>[]</tool_call>',
  ].map((text) => ({ what: `GATE-17: ${text} stays text`, shape: HERMES, text, content: text })),
  {
    what: 'without tools the marks are text',
    shape: { ...HERMES, tools: null },
    text: '<tool_call>{"name":"a"}</tool_call>',
    content: '<tool_call>{"name":"a"}</tool_call>',
  },
  {
    what: 'a client that takes one call gets the first',
    shape: { ...HERMES, calls: 'one' },
    text: '<tool_call>{"name":"a"}</tool_call><tool_call>{"name":"b"}</tool_call>',
    calls: [call('a', {})],
  },
  {
    what: 'Llama: bare JSON is the call',
    shape: LLAMA,
    text: ' {"name": "ls", "parameters": {"path": ";{"}}',
    calls: [call('ls', { path: ';{' })],
  },
  {
    what: 'Llama: calls parted by ; and calls after the tag',
    shape: LLAMA,
    text: '<|python_tag|>{"name":"a","parameters":{}}; {"type":"function","name":"b","parameters":{"x":1}}',
    calls: [call('a', {}), call('b', { x: 1 })],
  },
  {
    what: 'Llama: text before the tag stays',
    shape: LLAMA,
    text: 'Sure. <|python_tag|>{"name":"a","parameters":{}}',
    content: 'Sure.',
    calls: [call('a', {})],
  },
  ...['{"answer": 42}', 'As JSON: {"name":"a","parameters":{}}', '<|python_tag|>print(1)', '{"name":"a"'].map(
    (text) => ({ what: `GATE-17: Llama: ${text} stays text`, shape: LLAMA, text, content: text }),
  ),
  {
    what: 'reasoning at the beginning is taken off, with the space around it',
    shape: HERMES,
    text: '\n<think>\nHm, </thin or <tool_call>?\n\n</think>\n\nYes. <think>no</think>',
    reasoning: 'Hm, </thin or <tool_call>?',
    content: 'Yes. <think>no</think>',
  },
  {
    what: 'reasoning that the template opened, and a call after it',
    shape: { ...HERMES, reasoning: 'opened' },
    text: 'I list.\n</think>\n<tool_call>{"name":"ls"}</tool_call>',
    reasoning: 'I list.',
    calls: [call('ls', {})],
  },
  {
    what: 'reasoning that never closes',
    shape: { ...HERMES, reasoning: 'opened' },
    text: 'on and on </thi',
    reasoning: 'on and on </thi',
  },
  { what: 'empty reasoning', shape: HERMES, text: '<think>\n\n</think>\n\nHi', content: 'Hi' },
  { what: 'space alone', shape: HERMES, text: ' \n', content: ' \n' },
];

interface Told {
  message: AnswerMessage;
  told: AnswerPart[];
}

function parse(shape: AnswerShape, pieces: readonly string[]): Told {
  const parser = new AnswerParser(shape, (index) => `call_${index}`);
  const told = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()];
  return { message: parser.message, told };
}

/** What a client puts together from the parts. */
function together(told: readonly AnswerPart[]): AnswerMessage {
  const message: AnswerMessage = { content: '', reasoning: '', toolCalls: [] };
  for (const part of told) {
    if (part.type === 'content') message.content += part.text;
    else if (part.type === 'reasoning') message.reasoning += part.text;
    else message.toolCalls.push(part.call);
  }
  return message;
}

/** mulberry32: chunk sizes that are the same in every run. */
function* sizes(seed: number): Generator<number> {
  let state = seed;
  for (;;) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    yield 1 + (((mixed ^ (mixed >>> 14)) >>> 0) % 7);
  }
}

function cutRandomly(text: string, seed: number): string[] {
  const pieces: string[] = [];
  let rest = text;
  for (const size of sizes(seed)) {
    if (rest === '') return pieces;
    pieces.push(rest.slice(0, size));
    rest = rest.slice(size);
  }
  return pieces;
}

for (const { what, shape, text, content = '', reasoning = '', calls = [] } of CASES) {
  test(what, () => {
    const { message } = parse(shape, [text]);
    assert.deepEqual(
      [message.content, message.reasoning, message.toolCalls.map((one) => [one.name, one.arguments])],
      [content, reasoning, calls],
    );
  });

  test(`GATE-18: however it is cut: ${what}`, () => {
    const whole = parse(shape, [text]).message;
    const cuts = [
      [...text],
      ...[...text].map((_, at) => [text.slice(0, at), text.slice(at)]),
      ...Array.from({ length: 50 }, (_, seed) => cutRandomly(text, seed)),
    ];
    for (const pieces of cuts) {
      const { message, told } = parse(shape, pieces);
      assert.deepEqual(message, whole, JSON.stringify(pieces));
      assert.deepEqual(together(told), whole, JSON.stringify(pieces));
    }
  });
}

test('text is told as soon as it can be nothing else', () => {
  const parser = new AnswerParser(HERMES, String);
  assert.deepEqual(parser.push('one two '), [{ type: 'content', text: 'one two' }]);
  assert.deepEqual(parser.push('<tool'), []);
  assert.deepEqual(parser.push('s>'), [{ type: 'content', text: ' <tools>' }]);
});
