/**
 * Which wording of a teacher's prompt works: `node test/bench/teacher-contest.ts --json FILE`. For each kind of hint
 * and each wording the teacher (the base model) answers every task greedily, and code checks whether the answer takes
 * the hint up. hindsight/teacher-prompt.ts ships the winners; their rows are marked.
 *
 * right    share of the teacher's own answers that satisfy the task's check; `none` is the student
 * lift     mean of log pi_teacher - log pi_student on the tokens of a right answer, nats a token
 * overlap  share of the student's top 4 that are among the teacher's, over the student's own answer: what hint
 *          selection compares
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Scored } from '../../agent-server/engine/engine.ts';
import { HttpEngine } from '../../agent-server/engine/http-engine.ts';
import { ChatPrompt } from '../../agent-server/gateway/chat-template.ts';
import { teacherMessages } from '../../agent-server/hindsight/teacher-prompt.ts';
import { overlap } from '../../agent-server/learning/hybrid.ts';
import type { PlainMessage } from '../../agent-server/protocol/gateway.ts';
import { BASE_VERSION } from '../../agent-server/protocol/ids.ts';
import { realTokenizerFiles } from '../fakes/in-process-engine.ts';
import { startRealEngine } from '../fixtures/real-engine.ts';
import { CONTEST_TASKS, type ContestKind, type ContestTask } from './teacher-tasks.ts';
import { WORDINGS, type Wording } from './teacher-wordings.ts';

const MAX_NEW_TOKENS = 64;
const TOP_K = 4;
const LIST_LENGTH = 32;
const LIMIT_MS = 20 * 60_000;
/** The engine decodes so many answers together. */
const AT_ONCE = 8;
const KINDS: readonly ContestKind[] = ['rewrite', 'test', 'compiler', 'review'];

interface Result {
  kind: ContestKind;
  wording: string;
  right: number;
  lift: number;
  overlap: number;
  /** Does hindsight/teacher-prompt.ts make these very messages? */
  shipped: boolean;
  answers: { request: string; answer: string; right: boolean }[];
}

class Contest {
  readonly #engine: HttpEngine;
  readonly #prompt: ChatPrompt;
  readonly #signal: AbortSignal;

  constructor(engine: HttpEngine, prompt: ChatPrompt, signal: AbortSignal) {
    this.#engine = engine;
    this.#prompt = prompt;
    this.#signal = signal;
  }

  /** All wordings of one kind, the student first. */
  async run(kind: ContestKind): Promise<Result[]> {
    const tasks = CONTEST_TASKS.filter((task) => task.kind === kind);
    const students = await inParallel(tasks, async (task) => {
      const messages: PlainMessage[] = [{ role: 'user', content: task.request }];
      const { text, ids } = await this.#answer(messages);
      return {
        task,
        text,
        ids,
        own: await this.#score(messages, ids),
        correct: await this.#correct(task, messages),
      };
    });
    const results: Result[] = [];
    for (const [wording, write] of Object.entries(WORDINGS[kind])) {
      const measured = await inParallel(students, async ({ task, text, ids, own, correct }) => {
        const messages = write({ request: task.request, hint: task.hint, answer: text });
        const answer = (await this.#answer(messages)).text;
        const teacher = await this.#score(messages, ids);
        return {
          request: task.request,
          answer,
          right: task.satisfied(answer),
          lift: (await this.#correct(task, messages)) - correct,
          overlap: overlap(own.top, teacher.top, TOP_K) / (TOP_K * ids.length),
        };
      });
      results.push({
        kind,
        wording,
        right: mean(measured.map(({ right }) => (right ? 1 : 0))),
        lift: mean(measured.map(({ lift }) => lift)),
        overlap: mean(measured.map((one) => one.overlap)),
        shipped: students.every(({ task, text }) => isShipped(task, write, text)),
        answers: measured.map(({ request, answer, right }) => ({ request, answer, right })),
      });
    }
    return results;
  }

  async #answer(messages: PlainMessage[]): Promise<{ text: string; ids: number[] }> {
    const sampling_params = { temperature: 0, max_new_tokens: MAX_NEW_TOKENS };
    let last = { text: '', ids: [] as number[] };
    for await (const { text, output_ids } of this.#engine.generate(
      { input_ids: this.#prompt.ids(messages), sampling_params, lora_path: null },
      this.#signal,
    )) {
      last = { text, ids: output_ids };
    }
    return last;
  }

  #score(messages: PlainMessage[], responseIds: number[]): Promise<Scored> {
    const promptIds = this.#prompt.ids(messages);
    const request = { promptIds, responseIds, version: BASE_VERSION, topLogprobs: LIST_LENGTH };
    return this.#engine.score(request, this.#signal);
  }

  /** Mean log pi of the right answer's tokens. */
  async #correct(task: ContestTask, messages: PlainMessage[]): Promise<number> {
    return mean((await this.#score(messages, this.#prompt.responseIds(task.correction))).logprobs);
  }
}

/** What was measured, less what the code of the day makes of it. */
function withoutMark({ shipped: _, ...rest }: Result): Omit<Result, 'shipped'> {
  return rest;
}

function isShipped(task: ContestTask, write: Wording, answer: string): boolean {
  const hint =
    task.kind === 'rewrite'
      ? ({ kind: 'rewrite', source: 'rewrite', text: task.hint } as const)
      : ({ kind: 'words', source: task.kind, text: task.hint } as const);
  const shipped = teacherMessages([{ role: 'user', content: task.request }], hint);
  return JSON.stringify(shipped) === JSON.stringify(write({ ...task, answer }));
}

/** In order, at most AT_ONCE at a time. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += AT_ONCE)
    results.push(...(await Promise.all(items.slice(start, start + AT_ONCE).map(work))));
  return results;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: 'string' } } });
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const engine = await startRealEngine(AT_ONCE, log);
  const started = performance.now();
  try {
    const client = new HttpEngine(() => ({ url: engine.url, key: '' }));
    const contest = new Contest(client, new ChatPrompt(realTokenizerFiles()), AbortSignal.timeout(LIMIT_MS));
    const results: Result[] = [];
    for (const kind of KINDS) {
      const ofKind = await contest.run(kind);
      results.push(...ofKind);
      process.stdout.write(`\n${kind.padEnd(31)}right   lift  overlap\n`);
      for (const { wording, right, lift, overlap: shared, shipped } of ofKind)
        process.stdout.write(
          `${`  ${wording}${shipped ? ' *' : ''}`.padEnd(31)}${right.toFixed(2)}  ${lift.toFixed(2).padStart(5)}  ${shared.toFixed(2)}\n`,
        );
    }
    const seconds = Math.round((performance.now() - started) / 1000);
    process.stdout.write(`\n* shipped. ${CONTEST_TASKS.length} tasks, ${seconds} s.\n`);
    if (values.json !== undefined)
      await writeFile(
        values.json,
        `${JSON.stringify({ model: 'SmolLM2-135M-Instruct', maxNewTokens: MAX_NEW_TOKENS, seconds, results: results.map(withoutMark) }, null, 1)}\n`,
      );
  } finally {
    await engine.close();
  }
}

await main();
