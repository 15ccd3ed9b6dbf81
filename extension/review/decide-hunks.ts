/** The commands of a review: which hunks are meant, and the word why that a rejection may come with. */
import { l10n, window } from 'vscode';
import { type Decision, undecided } from './proposal.ts';
import type { ReviewSession } from './review-session.ts';
import { nameOf } from './selected-lines.ts';

/** `named`: the index that a lens gives; else the hunk at the cursor is meant, else the first. */
export async function decideHunk(
  review: ReviewSession,
  named: number | null,
  decision: Decision,
): Promise<void> {
  const index = hunkOf(review, named);
  if (index !== undefined) await decideHunks(review, [index], decision, l10n.t('Reject Hunk'));
}

export function decideAll(review: ReviewSession, decision: Decision): Promise<void> {
  return decideHunks(review, undecided(review.proposal), decision, l10n.t('Reject All Hunks'));
}

/** Of those that are still open. */
export function hunkOf({ document, proposal }: ReviewSession, named: number | null): number | undefined {
  const open = undecided(proposal);
  if (named !== null) return open.find((index) => index === named);
  const editor = window.activeTextEditor;
  const line = editor?.document === document ? editor.selection.active.line : -1;
  const here = open.find((index) => {
    const hunk = proposal.hunks[index];
    return hunk !== undefined && line >= hunk.ghosts.start && line < hunk.fresh.end;
  });
  return here ?? open[0];
}

async function decideHunks(
  review: ReviewSession,
  indices: readonly number[],
  decision: Decision,
  title: string,
): Promise<void> {
  let comment: string | null = null;
  if (decision === 'rejected') {
    const said = await window.showInputBox({
      title,
      prompt: l10n.t('Why? Press Enter to say nothing.'),
      placeHolder: l10n.t('For example: there is a helper for this'),
      ignoreFocusOut: true,
    });
    if (said === undefined) return;
    comment = said.trim() || null;
  }
  if (!(await review.decide(indices, decision, comment)))
    void window.showWarningMessage(
      l10n.t('{0} could not be changed. Is it read-only?', nameOf(review.document)),
    );
}
