/**
 * `node test/golden.ts FILE`: runs every golden case of a file and closes with `N passed, N failed`. The
 * algorithms run here; loss cases run in the trainer's own Python, `apprentice_worker.golden_loss`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { binaryRl } from '../agent-server/learning/binary-rl.ts';
import { combined } from '../agent-server/learning/combined.ts';
import { chooseHint, hybrid, overlap } from '../agent-server/learning/hybrid.ts';
import { opd } from '../agent-server/learning/opd.ts';
import { stepAdvantages } from '../agent-server/learning/step-reward.ts';
import { plurality } from '../agent-server/learning/vote.ts';
import { repositoryRoot, runtime } from './fixtures/runtime.ts';

const LOSS_TIMEOUT_MS = 300_000;

const Score = z.union([z.literal(1), z.literal(0), z.literal(-1)]).nullable();
const Numbers = z.array(z.number());
const TopLists = z.array(z.array(z.tuple([z.number(), z.number().int()])));
const Case = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  kind: z.string(),
  input: z.unknown(),
  expected: z.record(z.string(), z.unknown()),
});
type Case = z.infer<typeof Case>;
const File = z.object({ tolerance: z.number().positive(), cases: z.array(z.unknown()) });
const LossLine = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  ok: z.boolean(),
  detail: z.string().nullable(),
});

interface LossAnswers {
  answers: Map<string, (string | null)[]>;
  /** How the process ended, and its last words. */
  trouble: string;
}

const OpdInput = z.object({ response_ids: Numbers, old_logprobs: Numbers, teacher_logprobs: Numbers });

/** Each kind: its input as the file writes it, to its output as the file expects it. */
const RUN: Readonly<Record<string, (input: unknown) => Record<string, unknown>>> = {
  vote: (input) => ({
    score: plurality(z.object({ votes: z.array(z.number().nullable()) }).parse(input).votes),
  }),
  binary_rl: (input) => {
    const { score, response_ids } = z.object({ score: Score, response_ids: Numbers }).parse(input);
    return { advantages: binaryRl(score, response_ids.length) };
  },
  opd: (input) => {
    const { old_logprobs, teacher_logprobs } = OpdInput.parse(input);
    return { advantages: opd(old_logprobs, teacher_logprobs) };
  },
  combined: (input) => {
    const parsed = OpdInput.extend({
      score: Score,
      teacher_logprobs: Numbers.nullable(),
      w_opd: z.number().default(1),
      w_rl: z.number().default(1),
    }).parse(input);
    const weights = { wOpd: parsed.w_opd, wRl: parsed.w_rl };
    return { advantages: combined(parsed.old_logprobs, parsed.teacher_logprobs, parsed.score, weights) };
  },
  hybrid: runHybrid,
  step_reward: (input) => {
    const Row = z.object({
      group: z.union([z.string(), z.number()]).transform(String),
      step: z.number(),
      outcome: z.number(),
      votes: z.array(z.number().nullable()),
    });
    return { advantages: stepAdvantages(z.object({ rows: z.array(Row) }).parse(input).rows) };
  },
};

function runHybrid(input: unknown): Record<string, unknown> {
  const parsed = z
    .object({
      k: z.number().int(),
      clip: z.number(),
      support: z.enum(['student', 'union']),
      w_opd: z.number().default(1),
      w_rl: z.number().default(1),
      score: Score,
      response_ids: Numbers,
      old_logprobs: Numbers,
      old_top: TopLists,
      teacher_tops: z.array(TopLists).nullable(),
    })
    .parse(input);
  const teachers = parsed.teacher_tops ?? [];
  const overlaps = teachers.map((teacher) => overlap(parsed.old_top, teacher, parsed.k));
  const chosen = chooseHint(overlaps);
  const support = hybrid(
    parsed.response_ids,
    { logprobs: parsed.old_logprobs, top: parsed.old_top },
    chosen === null ? null : (teachers[chosen] ?? null),
    parsed.score,
    { support: parsed.support, k: parsed.k, gapClip: parsed.clip, wOpd: parsed.w_opd, wRl: parsed.w_rl },
  );
  return {
    overlaps,
    chosen_hint: chosen,
    support_ids: support?.ids ?? null,
    // JSON has no NaN: the files write an unknown logprob as null.
    support_logprobs: support?.logprobs.map((row) => row.map((x) => (Number.isNaN(x) ? null : x))) ?? null,
    support_advantages: support?.advantages ?? null,
  };
}

/** Where `actual` differs from `expected`, or null. Numbers may differ by the tolerance. */
function difference(actual: unknown, expected: unknown, tolerance: number, path: string): string | null {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return `${path}: expected a list, got ${JSON.stringify(actual)}`;
    if (actual.length !== expected.length)
      return `${path}: expected ${expected.length} items, got ${actual.length}`;
    for (const [i, item] of expected.entries()) {
      const found = difference(actual[i], item, tolerance, `${path}[${i}]`);
      if (found !== null) return found;
    }
    return null;
  }
  const equal =
    typeof expected === 'number' && typeof actual === 'number'
      ? Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected))
      : actual === expected;
  return equal ? null : `${path}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`;
}

function runHere({ kind, input, expected }: Case, tolerance: number): string | null {
  const run = Object.hasOwn(RUN, kind) ? RUN[kind] : undefined;
  if (run === undefined) return `unknown kind ${JSON.stringify(kind)}`;
  if (Object.keys(expected).length === 0) return 'nothing is expected of it';
  try {
    const actual = run(input);
    for (const [key, value] of Object.entries(expected)) {
      if (!Object.hasOwn(actual, key)) return `${key}: ${kind} has no such output`;
      const found = difference(actual[key], value, tolerance, key);
      if (found !== null) return found;
    }
    return null;
  } catch (error) {
    if (error instanceof z.ZodError) return `bad input: ${z.prettifyError(error)}`;
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Runs loss cases in Python: for each id its answers in order, null for right, else why not. They get a file of
 * their own, so that a malformed case of another kind cannot end the process before them.
 */
async function runLoss(cases: readonly Case[], tolerance: number): Promise<LossAnswers> {
  const folder = mkdtempSync(join(tmpdir(), 'apprentice-golden-'));
  try {
    const file = join(folder, 'loss.json');
    writeFileSync(file, JSON.stringify({ tolerance, cases }));
    return await askTrainer(file);
  } catch (error) {
    return { answers: new Map(), trouble: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function askTrainer(file: string): Promise<LossAnswers> {
  const child = spawn(runtime().python, ['-m', 'apprentice_worker.golden_loss', file], {
    env: { ...process.env, PYTHONPATH: join(repositoryRoot, 'gpu-worker', 'python') },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LOSS_TIMEOUT_MS,
  });
  let lastWords = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-2000);
  });
  const ended = new Promise<string>((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done(`It ended with ${signal ?? `code ${code}`}.`));
  });
  const answers: LossAnswers['answers'] = new Map();
  for await (const line of createInterface({ input: child.stdout })) {
    const parsed = LossLine.safeParse(parseJson(line));
    if (!parsed.success) continue;
    const { id, ok, detail } = parsed.data;
    answers.set(id, [...(answers.get(id) ?? []), ok ? null : (detail ?? 'the trainer disagrees')]);
  }
  const how = await ended;
  return { answers, trouble: `${how} ${lastWords.trim().split('\n').at(-1) ?? ''}`.trim() };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One line for each failing case: why. Throws when the file as a whole cannot be read. */
async function failuresOf(file: string): Promise<{ count: number; failures: string[] }> {
  const parsed = File.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  const { tolerance, cases } = parsed.data;
  const read = cases.map((raw) => Case.safeParse(raw));
  const lossCases = read.flatMap(({ data }) => (data?.kind === 'loss' ? [data] : []));
  const loss = lossCases.length === 0 ? null : await runLoss(lossCases, tolerance);
  const failures: string[] = [];
  for (const [i, result] of read.entries()) {
    if (!result.success) {
      failures.push(`case ${i}: not a case: ${z.prettifyError(result.error)}`);
      continue;
    }
    const { id, kind } = result.data;
    const why =
      kind === 'loss'
        ? nextAnswer(loss?.answers.get(id), loss?.trouble ?? '')
        : runHere(result.data, tolerance);
    if (why !== null) failures.push(`${id} (${kind}): ${why}`);
  }
  return { count: cases.length, failures };
}

/** Cases may share an id: the answers come in the order of the cases. */
function nextAnswer(answers: (string | null)[] | undefined, trouble: string): string | null {
  const answer = answers?.shift();
  return answer === undefined ? `the trainer gave no answer. ${trouble}`.trim() : answer;
}

const [argument] = process.argv.slice(2);
if (argument === undefined) {
  console.error('Usage: npm run golden -- FILE');
  process.exitCode = 2;
} else {
  const file = resolve(argument);
  const { count, failures } = await failuresOf(file).catch((error: Error) => ({
    count: 1,
    failures: [`${file}: not a file of golden cases: ${error.message}`],
  }));
  for (const line of failures) console.log(`FAILED ${line}`);
  console.log(`${count - failures.length} passed, ${failures.length} failed`);
  process.exitCode = failures.length === 0 && count > 0 ? 0 : 1;
}
