/** The result of a replay as text for the terminal. Pure. */
import type { StyleFeature } from '../../evidence/commit-style.ts';
import { oneLine } from './plain-text.ts';
import type { ReplayResult } from './result.ts';

/** What each feature is called where people read it. */
export const FEATURE_NAMES: Record<StyleFeature, string> = {
  typePrefix: 'type prefix',
  scope: 'scope',
  case: 'case',
  finalPeriod: 'final period',
  body: 'one line or body',
  length: 'length',
};

export function reportText(result: ReplayResult, width: number): string {
  const { heldOut } = result;
  const line = (name: string, before: string, after: string, control: string | null): string =>
    `  ${name.padEnd(22)}${before.padStart(8)}${after.padStart(8)}${control === null ? '' : control.padStart(9)}`;
  const share = (value: number): string => value.toFixed(2);
  const maybe = (value: number | null, text: (value: number) => string): string | null =>
    value === null ? null : text(value);
  return [
    '',
    `Result on ${result.test} held-out commits, after learning from ${result.commits}`,
    line('', 'before', 'after', heldOut.control === null ? null : 'control'),
    line('convention match', share(heldOut.before), share(heldOut.after), maybe(heldOut.control, share)),
    ...heldOut.features.map(({ feature, before, after, control }) =>
      line(`  ${FEATURE_NAMES[feature]}`, share(before), share(after), maybe(control, share)),
    ),
    line(
      'chrF (0 to 100)',
      heldOut.chrfBefore.toFixed(1),
      heldOut.chrfAfter.toFixed(1),
      maybe(heldOut.chrfControl, (value) => value.toFixed(1)),
    ),
    `  ${result.versions} versions in ${Math.round(result.seconds)} s; diffs cut to ${result.diffBudgetTokens} tokens`,
    '',
    ...result.examples.flatMap(({ real, before, after, control }) => [
      `  real    ${oneLine(real, width - 10)}`,
      `  before  ${oneLine(before, width - 10)}`,
      `  after   ${oneLine(after, width - 10)}`,
      ...(control === null ? [] : [`  control ${oneLine(control, width - 10)}`]),
      '',
    ]),
  ].join('\n');
}
