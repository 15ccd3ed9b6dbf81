/** Lessons, as the rest of the agent-server sees them. */
import type { LessonId, TurnId, WeightVersion } from '../protocol/ids.ts';
import type { TurnSubject } from '../protocol/observations.ts';

/** active: may stand in prompts. off: switched off by the user. retired: the weights of `retiredBy` do without it. */
export type LessonState = 'active' | 'off' | 'retired';

/** An earlier exchange that acts at once, in the prompt, until the weights have learnt it. */
export interface Lesson {
  lessonId: LessonId;
  turnId: TurnId;
  /** Of the turn's subject: a lesson serves requests of its own kind, workspace and agent only. */
  kind: TurnSubject['kind'];
  /** Repository root; null where the subject has none. */
  workspace: string | null;
  /** How the system message begins, '' without one: another agent's requests are other work. */
  systemOpening: string;
  request: string;
  /** '' where there is only a hint in words. */
  rewrite: string;
  hint: string | null;
  state: LessonState;
  /** Worded by the user. */
  edited: boolean;
  createdAtMs: number;
  retiredBy: WeightVersion | null;
}

/** What a user may change of a lesson. */
export interface LessonChange {
  rewrite?: string | undefined;
  hint?: string | null | undefined;
  state?: 'active' | 'off' | undefined;
}
