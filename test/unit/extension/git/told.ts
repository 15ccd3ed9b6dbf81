/** What these tests do again and again: a file, an agent's two edits of it, and what git's look tells, in short. */
import { type TestContext, test } from 'node:test';
import type { GitTold } from '../../../../extension/capture/git/hunks-host.ts';
import { Desk, TURN } from './desk.ts';

export const BEFORE = '  return prices.reduce(add, 0);\n';
export const AFTER = '  const sum = prices.reduce(add, 0);\n  return Math.round(sum);\n';
export const FILE = `export function total(prices) {\n${BEFORE}}\n\n\n\n\n\nexport function last(prices) {\n  return prices[0];\n}\n`;
export const LAST = { before: '  return prices[0];\n', after: '  return prices.at(-1);\n' };

/** A file that is open in an editor, and one that is not, go through it alike. */
export function both(name: string, run: (t: TestContext, kind: 'open' | 'closed') => Promise<void>): void {
  for (const kind of ['open', 'closed'] as const) test(`${name} (${kind})`, (t) => run(t, kind));
}

export const desk = (t: TestContext, kind: 'open' | 'closed' = 'open') =>
  new Desk(t, { 'total.js': FILE }, kind);
/** Without its id. */
export const said = (told: readonly GitTold[]) => told.map(({ observationId: _, ...rest }) => rest);
export const git = (action: string, survival: number | null, paths = ['total.js']) => ({
  kind: 'git',
  turnId: TURN,
  action,
  paths,
  survival,
});
export const committed = (survival: number, edits: object[], turnId = TURN) => ({
  kind: 'user_edit',
  turnId,
  moment: 'commit',
  text: null,
  survival,
  edits,
});

/** Stages the hunks of total.js one by one. */
export function partly(d: Desk, ...answers: ('y' | 'n')[]): void {
  const diff = d.git('diff', '--unified=0', 'total.js').split(/^(?=@@)/m);
  const wanted = diff.filter((_, at) => at === 0 || answers[at - 1] === 'y').join('');
  d.write('../staged.patch', wanted);
  d.git('apply', '--cached', '--unidiff-zero', '../staged.patch');
}
