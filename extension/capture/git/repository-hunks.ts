/**
 * What git does, in one repository, to the edits of agents that are followed in it, told as next states of their turns:
 * what a commit took, what was set aside and came back, what was thrown away. Reads nothing where no edit is followed
 * and no commit of one remembered. When to look is git-capture.ts's; what a commit took is commit-look.ts's.
 */
import type { GitObservation } from '../../../agent-server/protocol/observations.ts';
import type { GitPlace } from '../../commit/git.ts';
import type { ReflogEntry } from '../../commit/reflog.ts';
import { messageOf } from '../../log.ts';
import { type Followed, GONE, isTakenAway } from '../hunks/followed-hunks.ts';
import { survival } from '../hunks/locate.ts';
import { stableObservationId } from '../stable-id.ts';
import { CommitLook } from './commit-look.ts';
import type { CommittedTurns } from './committed-turns.ts';
import { GitReader } from './git-reader.ts';
import type { HunksHost } from './hunks-host.ts';
import { gitPath } from './in-repository.ts';
import { type GitOperation, type GitState, operationsBetween, revertedBy } from './operations.ts';

/** Then its next change is waited for. */
const MAX_FAILURES = 5;

export class RepositoryHunks {
  readonly #root: string;
  readonly #git: GitReader;
  readonly #host: HunksHost;
  readonly #commits: CommitLook;
  #known: GitState | null = null;
  #looking: Promise<void> = Promise.resolve();
  /** Hunks whose being thrown away was told. */
  readonly #toldGone = new Set<string>();
  /** Hunks that a file lacked at the last look: git takes lines away before it writes down what it does. */
  #lacking: ReadonlySet<string> = new Set();
  /** Looks in a row that failed. */
  #failures = 0;

  constructor(place: GitPlace, host: HunksHost) {
    this.#root = place.root;
    this.#git = new GitReader(place);
    this.#host = host;
    this.#commits = new CommitLook(place.root, this.#git, host);
  }

  /** Resolves with whether the repository was free to be looked at; if not, it is to be asked again. Does not throw. */
  look(): Promise<boolean> {
    const looked = this.#looking
      .then(() => this.#look())
      .catch((error: unknown) => {
        this.#host.log.warn(`What git did in ${this.#root} was not read: ${messageOf(error)}`);
        this.#failures += 1;
        return this.#failures >= MAX_FAILURES;
      });
    this.#looking = looked.then(() => undefined);
    return looked;
  }

  async #look(): Promise<boolean> {
    const { mayCapture, memory, changed } = this.#host;
    if (!mayCapture() || (this.#followed().length === 0 && !memory.concerns(this.#root))) {
      this.#known = null;
      return true;
    }
    if (await this.#git.isBusy()) return false;
    const state = await this.#git.state();
    const before = this.#known;
    const operations = before === null ? [] : operationsBetween(before, state);
    if (before === null) await this.#catchUp(state);
    this.#known = state;
    let isBack: boolean;
    let isSure: boolean;
    try {
      for (const operation of operations) await this.#did(operation);
      isSure = await this.#checkedOut();
      isBack = await this.#cameBack();
    } catch (error) {
      // Looked at once more from where it was: what was told already has the same ids.
      this.#known = before;
      throw error;
    }
    this.#failures = 0;
    if (operations.length > 0 || isBack) changed();
    return isSure;
  }

  /** While no window was open remembered commits may have been amended or reverted. */
  async #catchUp({ entries }: GitState): Promise<void> {
    const since = this.#host.memory.oldest(this.#root);
    if (since === null) return;
    for (const entry of entries.filter(({ unixSeconds }) => unixSeconds >= since).reverse()) {
      await this.#amended(entry);
      await this.#reverted(entry);
    }
  }

  async #did(operation: GitOperation): Promise<void> {
    switch (operation.kind) {
      case 'stash':
        return this.#stashed(operation.sha);
      case 'commit':
        await this.#amended(operation.entry);
        await this.#reverted(operation.entry);
        return this.#commits.took(operation.entry);
      case 'reset':
        return this.#reset(operation.entry);
      case 'switch':
      case 'merge':
        return this.#left(operation.kind, operation.entry);
    }
  }

  /** A stash takes lines away, and gives them back. */
  async #stashed(sha: string): Promise<void> {
    const inStash = async (path: string): Promise<string | null> =>
      // Files that git did not track have a parent of their own.
      (await this.#git.textIn(sha, path)) ?? this.#git.textIn(`${sha}^3`, path);
    const taken = await this.#missing(inStash);
    await this.#setAside('stash', taken, sha);
  }

  /** What the commit that was left holds stands there still; other lines git only takes along, or puts aside itself. */
  async #left(by: 'switch' | 'merge', entry: ReflogEntry): Promise<void> {
    const held = await this.#missing((path) =>
      entry.previous === null ? Promise.resolve(null) : this.#git.textIn(entry.previous, path),
    );
    const swept = this.#followed()
      .filter((one) => one.state.kind !== 'aside' && isTakenAway(one))
      .filter(({ hunk }) => !held.some(({ one }) => one.hunk === hunk))
      .map((one) => ({ one, share: GONE }));
    await this.#setAside(by, [...held, ...swept], keyOf(entry));
  }

  /** Uncommitted again, on another branch, or thrown away. */
  async #reset(entry: ReflogEntry): Promise<void> {
    const thrown: Followed[] = [];
    for (const one of this.#followed()) {
      const { state } = one;
      if (state.kind === 'aside') continue;
      const left = state.kind === 'committed' && !(await this.#git.isAncestor(state.sha, entry.sha));
      if (left && one.share >= Math.min(state.share, GONE)) this.#host.hunks.set(one, { kind: 'open' });
      else if (left && (await this.#git.isOnBranch(state.sha)))
        this.#host.hunks.set(one, { kind: 'aside', by: 'reset', share: state.share, key: '', was: state });
      else if (isTakenAway(one) && (left || state.kind === 'open')) thrown.push(one);
    }
    await this.#threwAway('reset', thrown, keyOf(entry));
  }

  /** A commit that holds a turn's edits has another name now. */
  async #amended({ action, previous, sha, unixSeconds }: ReflogEntry): Promise<void> {
    if (action !== 'amend' || previous === null) return;
    const commit = await this.#remembered(previous);
    if (commit === undefined) return;
    const authored = await this.#git.authored(sha);
    await this.#host.memory.forget(commit);
    await this.#host.memory.remember({ ...commit, sha, authored, unixSeconds });
  }

  /** A commit that takes back one that held a turn's edits. */
  async #reverted(entry: ReflogEntry): Promise<void> {
    const named = revertedBy(entry.message);
    const commit = named === null ? undefined : await this.#remembered(named);
    if (commit === undefined) return;
    for (const turnId of commit.turnIds) {
      const hunks = this.#followed().filter(({ hunk }) => hunk.turnId === turnId);
      const survival = hunks.length > 0 ? this.#host.hunks.watch.survival(turnId) : null;
      await this.#tell('revert', turnId, this.#pathsOf(hunks), survival, keyOf(entry));
      for (const { hunk } of hunks) this.#toldGone.add(hunk.id);
    }
    await this.#host.memory.forget(commit);
  }

  async #remembered(sha: string): Promise<CommittedTurns | undefined> {
    // One that was pruned has no author any more.
    const authored = await this.#git.authored(sha).catch(() => null);
    return this.#host.memory.find(this.#root, sha, authored);
  }

  /**
   * A file stands there as git wrote it, without the lines that an agent had put into it, and at a second look nothing
   * else tells why. Is there nothing to look at once more?
   */
  async #checkedOut(): Promise<boolean> {
    const gone = this.#followed().filter(
      (one) =>
        isTakenAway(one) &&
        (one.state.kind === 'open' || (one.state.kind === 'committed' && one.state.share >= GONE)) &&
        !this.#toldGone.has(one.hunk.id),
    );
    const paths = this.#pathsOf(gone);
    const untouched = paths.length === 0 ? new Set() : await this.#git.untouched(paths);
    const out = gone.filter(({ document }) => untouched.has(gitPath(this.#root, document) ?? ''));
    const sure = out.filter(({ hunk }) => this.#lacking.has(hunk.id));
    this.#lacking = new Set(out.map(({ hunk }) => hunk.id));
    await this.#threwAway('checkout_file', sure, this.#known?.entries[0]?.sha ?? '');
    return sure.length === out.length;
  }

  async #threwAway(
    action: 'reset' | 'checkout_file',
    hunks: readonly Followed[],
    key: string,
  ): Promise<void> {
    for (const { hunk } of hunks) this.#toldGone.add(hunk.id);
    for (const [turnId, ofTurn] of byTurn(hunks))
      await this.#tell(
        action,
        turnId,
        this.#pathsOf(ofTurn),
        this.#host.hunks.watch.survival(turnId),
        [key, ...ofTurn.map(({ hunk }) => hunk.id)].join(' '),
      );
  }

  async #setAside(
    by: 'stash' | 'switch' | 'merge',
    away: readonly { one: Followed; share: number }[],
    key: string,
  ): Promise<void> {
    for (const { one, share } of away)
      this.#host.hunks.set(one, { kind: 'aside', by, share, key, was: one.state });
    for (const [turnId, ofTurn] of byTurn(away.map(({ one }) => one)))
      await this.#tell(by, turnId, this.#pathsOf(ofTurn), this.#host.hunks.watch.survival(turnId), key);
  }

  /** What was set aside is followed on from where it is again. Was there something? */
  async #cameBack(): Promise<boolean> {
    const gone = new Set(this.#followed().flatMap(({ hunk, share }) => (share < GONE ? [hunk.id] : [])));
    for (const id of this.#toldGone) if (!gone.has(id)) this.#toldGone.delete(id);
    const back = this.#followed().flatMap((one) => {
      const { state, found } = one;
      const isBack = state.kind === 'aside' && found.state === 'here' && this.#shareNow(one) >= state.share;
      return isBack ? [{ one, state }] : [];
    });
    for (const { one, state } of back) this.#host.hunks.set(one, state.was);
    for (const [turnId, ofTurn] of byTurn(back.map(({ one }) => one))) {
      const { state } = back.find(({ one }) => one.hunk.turnId === turnId) ?? {};
      if (state !== undefined && state.by !== 'reset')
        await this.#tell(
          state.by,
          turnId,
          this.#pathsOf(ofTurn),
          this.#host.hunks.watch.survival(turnId),
          `${state.key} back`,
        );
    }
    return back.length > 0;
  }

  /** The hunks of which `textIn` holds more lines than the work tree does, and how many. */
  async #missing(
    textIn: (path: string) => Promise<string | null>,
  ): Promise<{ one: Followed; share: number }[]> {
    const missing: { one: Followed; share: number }[] = [];
    for (const one of this.#followed()) {
      const path = gitPath(this.#root, one.document);
      if (one.share === 1 || one.state.kind === 'aside' || path === null) continue;
      const text = await textIn(path);
      const share = survival(one.hunk.proposed, text ?? '');
      if (share > this.#shareNow(one)) missing.push({ one, share });
    }
    return missing;
  }

  /** Wherever in its document the lines stand, as they are counted in a commit. */
  #shareNow({ hunk, document }: Followed): number {
    return survival(hunk.proposed, this.#host.hunks.textOf(document) ?? '');
  }

  #followed(): Followed[] {
    return this.#host.hunks.in((document) => this.#host.owns(this.#root, document));
  }

  #pathsOf(hunks: readonly Followed[]): string[] {
    return [...new Set(hunks.map(({ document }) => gitPath(this.#root, document)))].filter(
      (path) => path !== null,
    );
  }

  #tell(
    action: GitObservation['action'],
    turnId: string,
    paths: string[],
    survival: number | null,
    key: string,
  ): Promise<void> {
    const observationId = stableObservationId(this.#root, action, turnId, key);
    return this.#host.report({ kind: 'git', observationId, turnId, action, paths, survival });
  }
}

/** Two moves of HEAD to one commit are two. */
function keyOf({ sha, unixSeconds, subject }: ReflogEntry): string {
  return `${sha} ${unixSeconds} ${subject}`;
}

function byTurn(hunks: readonly Followed[]): Map<string, Followed[]> {
  return Map.groupBy(hunks, ({ hunk }) => hunk.turnId);
}
