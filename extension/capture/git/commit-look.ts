/**
 * What a commit took of the edits of agents, told of each turn: the share of its lines that were committed, and the
 * lines that the user had changed before, as they were committed. Told by the committed text alone. Which turns a later
 * revert takes back is remembered.
 */
import { MAX_TEXT_CHARS } from '../../../agent-server/protocol/observations.ts';
import type { ReflogEntry } from '../../commit/reflog.ts';
import { type Followed, isTakenAway } from '../hunks/followed-hunks.ts';
import { weightOf } from '../hunks/hunk-watch.ts';
import { stableObservationId } from '../stable-id.ts';
import type { GitReader } from './git-reader.ts';
import type { HunksHost } from './hunks-host.ts';
import { gitPath } from './in-repository.ts';
import { type Taken, takenOf } from './taken.ts';

/** Agents that commit do so as soon as they have written: nobody reads an edit in this time. */
const AGENTS_OWN_MS = 5_000;

export class CommitLook {
  readonly #root: string;
  readonly #git: GitReader;
  readonly #host: HunksHost;

  constructor(root: string, git: GitReader, host: HunksHost) {
    this.#root = root;
    this.#git = git;
    this.#host = host;
  }

  /** A commit was made, or amended. */
  async took(entry: ReflogEntry): Promise<void> {
    const amended = entry.action === 'amend' ? entry.previous : null;
    if (amended === null) this.#letGo();
    const names = await this.#git.changedIn(entry.sha);
    const turns = new Set<string>();
    const elsewhere: Followed[] = [];
    for (const one of this.#followed()) {
      const path = gitPath(this.#root, one.document);
      const { state } = one;
      const concerned =
        state.kind === 'open' || (state.kind === 'committed' && (state.sha === amended || !state.settled));
      if (path === null || !concerned) continue;
      if (!names.has(path)) {
        elsewhere.push(one);
        continue;
      }
      const taken = this.#takenOf(one, await this.#git.textIn(entry.sha, path));
      if (taken.kind === 'pending') continue;
      if (this.#isAgentsOwn(entry, one)) {
        await this.#remember(entry, one.hunk.turnId);
        continue;
      }
      const { share, text, settled } = taken;
      this.#host.hunks.set(one, { kind: 'committed', sha: entry.sha, share, text, settled });
      const isNew = state.kind === 'open' || state.share !== share || state.text !== text;
      if (isNew) turns.add(one.hunk.turnId);
      else await this.#remember(entry, one.hunk.turnId);
    }
    // What the turn did to files that the commit does not name, and that is gone from them, the user did not want.
    for (const one of elsewhere)
      if (turns.has(one.hunk.turnId) && isGone(one))
        this.#host.hunks.set(one, { kind: 'committed', sha: entry.sha, share: 0, text: '', settled: true });
    for (const turnId of turns) await this.#tell(entry, turnId);
  }

  /** It says nothing of what the user thinks of the edit: what becomes of that is for a later commit. */
  #isAgentsOwn({ unixSeconds }: ReflogEntry, { hunk }: Followed): boolean {
    const arrivedMs = this.#host.hunks.watch.arrivedMs(hunk.turnId) ?? 0;
    // What was accepted in a review was read.
    return hunk.edit !== null && unixSeconds * 1000 < arrivedMs + AGENTS_OWN_MS;
  }

  /** What a commit holds whole, with another one on top of it, is not amended any more. */
  #letGo(): void {
    const here = new Set(this.#followed().map(({ hunk }) => hunk.turnId));
    // A turn may have edited files of other repositories too.
    const byTurn = Map.groupBy(
      this.#host.hunks.in(() => true),
      ({ hunk }) => hunk.turnId,
    );
    for (const [turnId, hunks] of byTurn)
      if (here.has(turnId) && hunks.every(({ state }) => state.kind === 'committed' && state.settled))
        this.#host.hunks.watch.forget(turnId);
  }

  /** `committed`: the file's text in the commit; null: it is not in it any more. */
  #takenOf(one: Followed, committed: string | null): Settled {
    const { document, found } = one;
    const { proposed } = one.hunk;
    const asProposed = takenOf(proposed, proposed, { start: 0, end: proposed.length }, committed ?? '');
    // It is neither here nor there: the user was done with it before the commit.
    if (isGone(one) && asProposed.kind === 'pending') return { ...LOST, settled: true };
    if (isGone(one) || found.state === 'gone') return { ...asProposed, settled: true };
    const worktree = this.#host.hunks.textOf(document) ?? '';
    const taken = takenOf(proposed, worktree, found.span, committed ?? '');
    return taken.kind === 'taken' ? { ...taken, settled: true } : { ...asProposed, settled: false };
  }

  async #tell(entry: ReflogEntry, turnId: string): Promise<void> {
    const decided = this.#host.hunks
      .in(() => true)
      .flatMap((one) => {
        const { hunk, document, state } = one;
        return hunk.turnId === turnId && state.kind === 'committed' ? [{ hunk, document, ...state }] : [];
      });
    let [lines, left, chars] = [0, 0, 0];
    const edits: { edit: number; text: string | null }[] = [];
    for (const { hunk, document, share, text } of decided) {
      lines += weightOf(hunk);
      left += weightOf(hunk) * share;
      if (hunk.edit === null) continue;
      const told = text === null || text === '' ? text : await this.#host.tellable(document, text);
      // What is not told in full is not known: half a correction is none.
      const untold = text !== null && told === null;
      chars += told?.length ?? 0;
      if (!untold && chars <= MAX_TEXT_CHARS) edits.push({ edit: hunk.edit, text: told });
    }
    const survival = lines === 0 ? 0 : left / lines;
    if (survival > 0) await this.#remember(entry, turnId);
    await this.#host.report({
      kind: 'user_edit',
      observationId: stableObservationId(this.#root, 'user_edit', turnId, entry.sha),
      turnId,
      moment: 'commit',
      text: null,
      survival,
      edits,
    });
  }

  async #remember({ sha, unixSeconds }: ReflogEntry, turnId: string): Promise<void> {
    const authored = await this.#git.authored(sha);
    const known = this.#host.memory.find(this.#root, sha, null)?.turnIds ?? [];
    const turnIds = [...new Set([...known, turnId])];
    await this.#host.memory.remember({ root: this.#root, sha, authored, turnIds, unixSeconds });
  }

  #followed(): Followed[] {
    return this.#host.hunks.in((document) => this.#host.owns(this.#root, document));
  }
}

type Settled = Taken & { readonly settled: boolean };
const LOST: Taken = { kind: 'taken', share: 0, text: '' };

/** Not in the work tree, or something other than the user's hand put other lines in its place. */
function isGone(one: Followed): boolean {
  return one.found.state === 'gone' || isTakenAway(one);
}
