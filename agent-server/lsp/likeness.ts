/**
 * How like first answers were to what the user wanted, by week and version: what a comparison's arms are drawn behind.
 * Each pair of texts is compared once and remembered; the process that also serves is let go in between.
 */
import { setImmediate as others } from 'node:timers/promises';
import { chrf } from '../evidence/chrf.ts';
import type { AnswerGroup } from '../protocol/data.ts';
import type { TurnId } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';

/** First answers that are compared. */
const COMPARED = 500;
/** A quarter of a second at most, on a slow machine. */
const GROUPED_ANSWERS = 10_000;
/** Compared in one go: some milliseconds. */
const SLICE = 10;

type GroupStore = Pick<Store, 'answerGroups' | 'wantedTexts'>;

/** Over one store; `signal` of a call ends it early with what the signal's reason says. */
export function answerGroupsOver(store: GroupStore): (signal: AbortSignal) => Promise<AnswerGroup[]> {
  let known = new Map<TurnId, { wanted: string; likeness: number }>();
  return async (signal) => {
    const groups = store.answerGroups(GROUPED_ANSWERS);
    const sums = new Map<string, { likened: number; likeness: number }>();
    const compared: typeof known = new Map();
    let fresh = 0;
    for (const { turnId, week, version, texts } of store.wantedTexts(COMPARED)) {
      let likeness = 100;
      if (texts !== null) {
        const before = known.get(turnId);
        if (before?.wanted === texts.wanted) ({ likeness } = before);
        else {
          likeness = chrf(texts.answer, texts.wanted);
          fresh += 1;
          if (fresh % SLICE === 0) await others(undefined, { signal });
        }
        compared.set(turnId, { wanted: texts.wanted, likeness });
      }
      const key = `${week} ${version}`;
      const sum = sums.get(key) ?? { likened: 0, likeness: 0 };
      sums.set(key, { likened: sum.likened + 1, likeness: sum.likeness + likeness });
    }
    known = compared;
    return groups.map((group) => ({
      ...group,
      ...(sums.get(`${group.week} ${group.version}`) ?? { likened: 0, likeness: 0 }),
    }));
  };
}
