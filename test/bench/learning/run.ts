/** One run: an arm meets one simulated user, with one seed. What an arm is stands in arms.ts, what comes of it in table.ts. */
import { ChatPrompt } from '../../../agent-server/gateway/chat-template.ts';
import { seededRandom } from '../../../agent-server/learning/random.ts';
import type { Anchor } from '../../../agent-server/store/version-types.ts';
import { type SimulatedUser, split, type Task } from '../../scenarios/users/user.ts';
import type { Arm } from './arms.ts';
import { Drift } from './drift.ts';
import { Subject } from './subject.ts';

/** The user's three first answers in a row that end the count; and where the count stops. */
export const IN_A_ROW = 3;
export const MAX_INTERACTIONS = 36;
export const CHECKPOINTS = [8, 12, 24, 36] as const;
/** As coding agents commonly ask. */
const TEMPERATURE = 0.2;
/** Held-out requests asked together: the engine decodes them in one pass. */
const TOGETHER = 6;

export interface Checkpoint {
  interactions: number;
  /** Share of held-out first answers that satisfy. */
  heldOut: number;
  /** Nats a token. */
  drift: number;
}

export interface RunResult {
  arm: string;
  user: string;
  seed: number;
  /** Each first answer: did it satisfy? */
  satisfied: boolean[];
  /** Interactions until three in a row did; null: not within MAX_INTERACTIONS. */
  untilThreeInARow: number | null;
  checkpoints: Checkpoint[];
  /** Optimizer steps that led to a version, and versions that were refused. */
  steps: number;
  refused: number;
  /** Of interactions and learning, evaluation left out. */
  seconds: number;
  example: { request: string; answer: string };
}

export interface RunOptions {
  arm: Arm;
  user: SimulatedUser;
  seed: number;
  interactions: number;
  /** As in SubjectOptions. */
  python: string;
  model: string;
  /** The base's own, made once and shared by all runs. */
  anchors: Anchor[];
  onProgress: (text: string) => void;
}

/** Throws what the parts throw; everything it started has ended then. */
export async function run(options: RunOptions, signal: AbortSignal): Promise<RunResult> {
  const { arm, user, seed, python, model, onProgress } = options;
  const subject = await Subject.start({ config: arm.config, python, model, log: onProgress }, signal);
  try {
    return await meet(subject, options, signal);
  } catch (error) {
    throw new Error(`${arm.name}, ${user.name}, seed ${seed}`, { cause: error });
  } finally {
    await subject.stop();
  }
}

async function meet(subject: Subject, options: RunOptions, signal: AbortSignal): Promise<RunResult> {
  const { arm, user, seed, anchors, onProgress } = options;
  const prompt = new ChatPrompt(await subject.engine.tokenizerFiles(signal));
  if (anchors.length > 0) for (const anchor of anchors) subject.store.addAnchor(anchor);
  const drift = await Drift.of(subject.engine, prompt, signal);
  const { interactions, heldOut } = split(user, seededRandom(seed));
  const satisfied: boolean[] = [];
  const checkpoints: Checkpoint[] = [];
  let seconds = 0;
  let example = { request: '', answer: '' };
  let measured = { state: '', heldOut: Number.NaN, drift: Number.NaN };

  for (const [index, task] of interactions.slice(0, options.interactions).entries()) {
    const startedAtMs = performance.now();
    const { turnId, text } = await subject.ask(
      task.request,
      { kind: 'main', maxTokens: user.maxTokens, temperature: TEMPERATURE, seed: seed * 1000 + index },
      signal,
    );
    const good = user.satisfied(text, task);
    satisfied.push(good);
    await subject.leave(turnId, good ? text : task.rewrite, signal);
    await subject.caughtUp(signal);
    if (arm.waitForIdleWork) await subject.idleWork(signal);
    seconds += (performance.now() - startedAtMs) / 1000;
    onProgress(
      `${arm.name} · ${user.name} · seed ${seed}: ${satisfied.map((one) => (one ? '+' : '.')).join('')}`,
    );
    if (anchors.length === 0) anchors.push(...subject.store.anchors());
    if (CHECKPOINTS.some((at) => at === index + 1)) {
      const serving = subject.store.serving();
      // Greedy answers of the same weights to the same prompts are the same.
      const state = [serving, ...(arm.evaluateWithLessons ? subject.activeLessons() : [])].join(' ');
      if (state !== measured.state) {
        const answers = await evaluate(subject, user, heldOut, arm.evaluateWithLessons, signal);
        const right = answers.filter(({ good }) => good).length;
        measured = { state, heldOut: right / heldOut.length, drift: await drift.of(serving, signal) };
        example = { request: heldOut[0]?.request ?? '', answer: answers[0]?.text ?? '' };
      }
      checkpoints.push({ interactions: index + 1, heldOut: measured.heldOut, drift: measured.drift });
    }
  }
  const versions = subject.store.versions();
  return {
    arm: arm.name,
    user: user.name,
    seed,
    satisfied,
    untilThreeInARow: untilInARow(satisfied),
    checkpoints,
    steps: versions.filter(({ metrics, state }) => metrics !== null && state !== 'failed').length,
    refused: versions.filter(({ state }) => state === 'failed').length,
    seconds,
    example,
  };
}

async function evaluate(
  subject: Subject,
  user: SimulatedUser,
  tasks: readonly Task[],
  withLessons: boolean,
  signal: AbortSignal,
): Promise<{ text: string; good: boolean }[]> {
  const answers: { text: string; good: boolean }[] = [];
  for (let from = 0; from < tasks.length; from += TOGETHER) {
    const together = tasks.slice(from, from + TOGETHER).map(async (task) => {
      const kind = withLessons ? ('evaluation' as const) : ('side' as const);
      const how = { kind, maxTokens: user.maxTokens, temperature: 0, seed: 0 };
      const { text } = await subject.ask(task.request, how, signal);
      return { text, good: user.satisfied(text, task) };
    });
    answers.push(...(await Promise.all(together)));
  }
  return answers;
}

/** How many interactions it took until `IN_A_ROW` first answers in a row satisfied; null: they never did. */
export function untilInARow(satisfied: readonly boolean[]): number | null {
  let row = 0;
  for (const [index, good] of satisfied.entries()) {
    row = good ? row + 1 : 0;
    if (row === IN_A_ROW) return index + 1;
  }
  return null;
}
