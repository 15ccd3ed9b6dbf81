/** A replay's result from a few messages, for tests of what is made of it. */

import { type ReplayResult, replayResult } from '../../../agent-server/environment/replay/result.ts';
import { LearningConfig } from '../../../agent-server/learning/config.ts';
import { TurnId, weightVersion } from '../../../agent-server/protocol/ids.ts';

export interface Messages {
  /** What the author wrote and what was proposed; the first half of proposals by the base. */
  training: [real: string, proposed: string][];
  heldOut: { real: string; before: string; after: string; control?: string }[];
}

export function resultOf({ training, heldOut }: Messages): ReplayResult {
  const turnId = TurnId.parse('00000000-0000-4000-8000-000000000000');
  const answers = (texts: string[], version: number) =>
    texts.map((text) => ({ turnId, version: weightVersion(version), text }));
  const controls = heldOut.flatMap(({ control }) => (control === undefined ? [] : [control]));
  return replayResult({
    repo: '/home/ada/<b>tidytext</b>',
    skipped: { merge: 2, bot: 1 },
    training: training.map(([real, proposed], index) => ({
      index,
      sha: `${index}`.padStart(40, 'a'),
      real,
      proposed,
      version: weightVersion(Math.floor(index / 2)),
      score: proposed === real ? 1 : -1,
      learntBy: proposed === real ? null : weightVersion(index + 1),
      state: 'done',
    })),
    heldOut: heldOut.map(({ real }, index) => ({
      sha: `${index}`.padStart(40, 'b'),
      tree: 'c'.repeat(40),
      parents: [],
      message: real,
      diff: '',
    })),
    before: answers(
      heldOut.map(({ before }) => before),
      0,
    ),
    after: answers(
      heldOut.map(({ after }) => after),
      9,
    ),
    control: controls.length === 0 ? null : { answers: answers(controls, 9), versions: 8 },
    versions: 9,
    seconds: 431.2,
    diffBudgetTokens: 220,
    model: '/models/small',
    learning: LearningConfig.parse({}),
  });
}
