/** A whole replay: the history, the learning arm, the control arm when it is asked for, and their result. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Config } from '../../config.ts';
import { ApprenticeError } from '../../protocol/errors.ts';
import { DIFF_BUDGET_TOKENS } from '../commit-message.ts';
import { Arm } from './arm.ts';
import type { Answer } from './gateway-client.ts';
import { type History, type HistoryCommit, readHistory } from './history.ts';
import type { ReplayOptions } from './options.ts';
import type { ArmName, Progress } from './progress.ts';
import { type ReplayResult, replayResult } from './result.ts';
import { ensureSampleRepository } from './sample-repository.ts';
import { tokenCounter } from './token-counter.ts';

/** A clone with fewer usable commits than this is no example; the sample repository is used. */
const MIN_CLONE_COMMITS = 36;

export interface ReplayPlan {
  history: History;
  training: HistoryCommit[];
  heldOut: HistoryCommit[];
}

export interface RunOptions {
  options: ReplayOptions;
  plan: ReplayPlan;
  runFolder: string;
  python: string;
  model: string;
  onProgress: (progress: Progress) => void;
}

export interface FinishedRun {
  result: ReplayResult;
  /** The learning arm, whose agent-server still serves. */
  arm: Arm;
}

/** Splits the history: the newest `test` commits are held out, the `commits` before them are learnt from. */
export async function planReplay(
  options: ReplayOptions,
  clone: string,
  signal: AbortSignal,
): Promise<ReplayPlan> {
  const wanted = options.commits + options.test;
  const history = await chooseHistory(options, clone, wanted, signal);
  const found = history.commits.length;
  if (found < options.test + 1) {
    throw new ApprenticeError(
      'invalid_request',
      `${history.repositoryRoot} has ${found} usable commits; ${options.test} to test leave none to learn from.`,
      'Lower --test, or name a repository with a longer history.',
    );
  }
  return {
    history,
    training: history.commits.slice(0, found - options.test),
    heldOut: history.commits.slice(found - options.test),
  };
}

async function chooseHistory(
  options: ReplayOptions,
  clone: string,
  wanted: number,
  signal: AbortSignal,
): Promise<History> {
  if (options.repository !== null) return readHistory(options.repository, wanted, signal);
  if (!options.sample && existsSync(join(clone, '.git'))) {
    const own = await readHistory(clone, Math.max(wanted, MIN_CLONE_COMMITS), signal);
    if (own.commits.length >= MIN_CLONE_COMMITS) return { ...own, commits: own.commits.slice(-wanted) };
  }
  const sample = await ensureSampleRepository(join(clone, '.apprentice', 'sample-repository'));
  return readHistory(sample, wanted, signal);
}

/** Throws when an arm cannot go on; whatever was started is ended then. */
export async function runReplay(run: RunOptions, signal: AbortSignal): Promise<FinishedRun> {
  const { options, plan } = run;
  const countTokens = await tokenCounter(run.model);
  const arms: Arm[] = [];
  const newArm = (name: ArmName): Arm => {
    const arm = new Arm({
      name,
      home: join(run.runFolder, name),
      config: Config.parse({
        gateway: { port: name === 'learn' ? options.port : 0 },
        learning: { ...options.learning, arm: name },
      }),
      python: run.python,
      model: run.model,
      repositoryRoot: plan.history.repositoryRoot,
      countTokens,
      onProgress: run.onProgress,
    });
    arms.push(arm);
    return arm;
  };

  try {
    const arm = newArm('learn');
    await arm.start(signal);
    const startedAtMs = performance.now();
    const before = await arm.answer(plan.heldOut, 'before', signal);
    await arm.learn(plan.training, signal);
    const after = await arm.answer(plan.heldOut, 'after', signal);
    const seconds = (performance.now() - startedAtMs) / 1000;
    let serving = arm;
    let controlled: { answers: Answer[]; versions: number } | null = null;
    if (options.control) {
      // One engine and trainer at a time: the arms would slow each other, and not alike.
      await arm.stop();
      const control = newArm('control');
      await control.start(signal);
      await control.learn(plan.training, signal);
      const answers = await control.answer(plan.heldOut, 'after', signal);
      controlled = { answers, versions: control.versionCount };
      await control.stop();
      serving = newArm('learn');
      await serving.start(signal);
    }
    const result = replayResult({
      repo: plan.history.repositoryRoot,
      skipped: plan.history.skipped,
      training: arm.rows,
      heldOut: plan.heldOut,
      before,
      after,
      control: controlled,
      versions: arm.versionCount,
      seconds,
      diffBudgetTokens: DIFF_BUDGET_TOKENS,
      model: run.model,
      learning: options.learning,
    });
    return { result, arm: serving };
  } catch (error) {
    await Promise.all(arms.map((arm) => arm.stop()));
    throw error;
  }
}
