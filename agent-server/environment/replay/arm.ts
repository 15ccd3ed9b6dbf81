/**
 * One arm of a replay: an agent-server with a fresh home that answers the held-out commits, learns from the
 * training commits in order, and answers the held-out ones again. Survives the death of any process: a pending
 * turn is asked again, an unacknowledged observation is sent again with the same id.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { editorRequests } from '../../protocol/editor.ts';
import { ApprenticeError } from '../../protocol/errors.ts';
import type { TurnKind } from '../../protocol/gateway.ts';
import { ObservationId, type TurnId, versionNumber, type WeightVersion } from '../../protocol/ids.ts';
import type { PanelSnapshot } from '../../protocol/panel.ts';
import {
  COMMIT_MESSAGE_SAMPLING,
  commitMessageMessages,
  DIFF_BUDGET_TOKENS,
  diffSha256,
} from '../commit-message.ts';
import { type Answer, askGateway } from './gateway-client.ts';
import type { HistoryCommit } from './history.ts';
import { persist } from './persist.ts';
import type { ArmName, Progress, TrainingRow } from './progress.ts';
import { ServerLink } from './server-link.ts';
import { ServerProcess } from './server-process.ts';

export interface ArmOptions {
  name: ArmName;
  home: string;
  config: Config;
  python: string;
  model: string;
  repositoryRoot: string;
  countTokens: (text: string) => number;
  onProgress: (progress: Progress) => void;
}

/** Corrections reported but not yet learnt. One is being trained, one waits; more would only be stale. */
const MAX_UNLEARNT = 2;
/** Held-out commits asked together: the engine decodes them in one batch. */
const HELD_OUT_TOGETHER = 4;
const START_LIMIT_MS = 5 * 60_000;
const TURN_LIMIT_MS = 10 * 60_000;
const LEARN_LIMIT_MS = 15 * 60_000;

export class Arm {
  readonly server: ServerProcess;
  readonly #options: ArmOptions;
  readonly #link: ServerLink;
  readonly #rows: { turnId: TurnId; row: TrainingRow }[] = [];
  readonly #served = new Set<WeightVersion>();
  #total = 0;

  constructor(options: ArmOptions) {
    this.#options = options;
    const { name, onProgress, home, python, model } = options;
    const trouble = (text: string): void => onProgress({ kind: 'trouble', arm: name, text });
    this.server = new ServerProcess({
      home,
      python,
      model,
      onDeath: (how) => trouble(`the agent-server died (${how}) and is started again`),
    });
    this.#link = new ServerLink(this.server, {
      onSnapshot: (snapshot) => this.#see(snapshot),
      onRetry: (what, error) => trouble(`${what} is tried again: ${error.message}`),
    });
  }

  /** Versions that came to serve, without the base. */
  get versionCount(): number {
    return this.#served.size;
  }

  get rows(): readonly TrainingRow[] {
    return this.#rows.map(({ row }) => ({ ...row }));
  }

  /** Writes the home's config, starts the agent-server, turns learning on and waits for the engine. Throws `setup_failed`. */
  async start(signal: AbortSignal): Promise<void> {
    const { home, config, name, onProgress } = this.#options;
    onProgress({ kind: 'phase', arm: name, phase: 'starting', total: 0 });
    await mkdir(home, { recursive: true, mode: 0o700 });
    await writeFile(join(home, 'config.json'), `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
    this.server.start();
    await this.#link.request(editorRequests.setLearning, { state: 'on' }, signal);
    const engine = await this.#link.until(
      'The start of the engine',
      ({ worker }) =>
        worker !== null && ['ready', 'busy', 'failed'].includes(worker.engine.state)
          ? worker.engine
          : undefined,
      START_LIMIT_MS,
      signal,
    );
    if (engine.state === 'failed') {
      throw new ApprenticeError(
        'setup_failed',
        `The engine does not start: ${engine.detail ?? 'no reason given'}.`,
        `See ${join(home, 'logs', 'engine.log')}.`,
      );
    }
  }

  /** Greedy answers in the order of `commits`, as side turns: they are never learnt from. */
  async answer(
    commits: readonly HistoryCommit[],
    phase: 'before' | 'after',
    signal: AbortSignal,
  ): Promise<Answer[]> {
    const { name, onProgress } = this.#options;
    const total = commits.length;
    onProgress({ kind: 'phase', arm: name, phase, total });
    const answers: Answer[] = [];
    for (let from = 0; from < total; from += HELD_OUT_TOGETHER) {
      const together = commits.slice(from, from + HELD_OUT_TOGETHER);
      answers.push(...(await Promise.all(together.map((commit) => this.#ask(commit, 'side', 0, signal)))));
      onProgress({ kind: 'heldOut', arm: name, done: answers.length, total });
    }
    return answers;
  }

  /** Resolves when every correction is learnt. Throws `timeout` when one is not within a quarter of an hour. */
  async learn(commits: readonly HistoryCommit[], signal: AbortSignal): Promise<void> {
    const { name, onProgress } = this.#options;
    this.#total = commits.length;
    onProgress({ kind: 'phase', arm: name, phase: 'learning', total: commits.length });
    for (const [index, commit] of commits.entries()) {
      await this.#untilUnlearnt(MAX_UNLEARNT - 1, signal);
      const answer = await this.#ask(commit, 'main', index + 1, signal);
      const row: TrainingRow = {
        index,
        sha: commit.sha,
        real: commit.message,
        proposed: answer.text,
        version: answer.version,
        score: null,
        learntBy: null,
        state: 'answered',
      };
      this.#rows.push({ turnId: answer.turnId, row });
      onProgress({ kind: 'row', arm: name, row: { ...row }, total: commits.length });
      await this.#observe(commit, signal);
    }
    onProgress({ kind: 'phase', arm: name, phase: 'settling', total: commits.length });
    await this.#untilUnlearnt(0, signal);
  }

  /** Ends the agent-server and everything under it. */
  async stop(): Promise<void> {
    await this.#link.close();
    await this.server.stop();
  }

  async #ask(commit: HistoryCommit, kind: TurnKind, seed: number, signal: AbortSignal): Promise<Answer> {
    const { name, repositoryRoot, countTokens, onProgress } = this.#options;
    const sampling = COMMIT_MESSAGE_SAMPLING[kind === 'main' ? 'explore' : 'greedy'];
    const question = {
      session: `replay-${name}-${commit.sha}`,
      kind,
      messages: commitMessageMessages(commit.diff, DIFF_BUDGET_TOKENS, countTokens),
      subject: {
        kind: 'commit_message' as const,
        repositoryRoot,
        stagedTree: commit.tree,
        diffSha256: diffSha256(commit.diff),
        head: commit.parents[0] ?? null,
        replaces: null,
      },
      maxNewTokens: sampling.max_new_tokens,
      temperature: sampling.temperature,
      seed,
    };
    return persist(
      async (inner) => askGateway(await this.server.discovery(inner), question, inner),
      {
        what: `The answer for commit ${commit.sha.slice(0, 10)}`,
        limitMs: TURN_LIMIT_MS,
        onRetry: (error) => onProgress({ kind: 'trouble', arm: name, text: `asked again: ${error.message}` }),
      },
      signal,
    );
  }

  async #observe(commit: HistoryCommit, signal: AbortSignal): Promise<void> {
    await this.#link.request(
      editorRequests.observe,
      {
        kind: 'commit',
        observationId: ObservationId.parse(randomUUID()),
        observedAt: new Date().toISOString(),
        source: 'replay',
        repositoryRoot: this.#options.repositoryRoot,
        sha: commit.sha,
        tree: commit.tree,
        parents: commit.parents,
        action: 'commit',
        message: commit.message,
        replaces: null,
        diffSha256: diffSha256(commit.diff),
      },
      signal,
    );
  }

  async #untilUnlearnt(most: number, signal: AbortSignal): Promise<void> {
    await this.#link.until(
      `Learning from all but ${most} of the ${this.#rows.length} corrections`,
      () => (this.#rows.filter(({ row }) => row.state !== 'done').length <= most ? true : undefined),
      LEARN_LIMIT_MS,
      signal,
    );
  }

  /** Brings the rows up to what the snapshot says of their turns. */
  #see(snapshot: PanelSnapshot): void {
    const { name, onProgress } = this.#options;
    onProgress({ kind: 'snapshot', arm: name, snapshot });
    for (const { version, state } of snapshot.versions) {
      if (versionNumber(version) > 0 && (state === 'serving' || state === 'retired'))
        this.#served.add(version);
    }
    for (const { turnId, row } of this.#rows) {
      if (row.state === 'done') continue;
      const seen = snapshot.turns.find((turn) => turn.turnId === turnId);
      if (seen === undefined || seen.outcome === 'pending') continue;
      const state = isDone(seen, snapshot) ? 'done' : 'judged';
      if (state === row.state) continue;
      Object.assign(row, { state, score: seen.score, learntBy: seen.learntBy });
      onProgress({ kind: 'row', arm: name, row: { ...row }, total: this.#total });
    }
  }
}

/** Nothing more will come of this turn: its version was decided on, or there is nothing to train. */
function isDone(turn: PanelSnapshot['turns'][number], snapshot: PanelSnapshot): boolean {
  if (turn.sampleState === 'none' || turn.sampleState === 'held') return true;
  if (turn.learntBy === null) return false;
  const version = snapshot.versions.find(({ version }) => version === turn.learntBy);
  return version !== undefined && version.state !== 'training' && version.state !== 'trained';
}
