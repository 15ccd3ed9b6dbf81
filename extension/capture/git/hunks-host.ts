/** What the looks at a repository are given by the window, and what they tell it. */
import type { z } from 'zod';
import type { GitObservation, UserEditObservation } from '../../../agent-server/protocol/observations.ts';
import type { Log } from '../../log.ts';
import type { FollowedHunks } from '../hunks/followed-hunks.ts';
import type { CommitMemory } from './committed-turns.ts';

/** An observation but for its time. */
export type GitTold =
  | Omit<z.input<typeof GitObservation>, 'observedAt'>
  | Omit<z.input<typeof UserEditObservation>, 'observedAt'>;

export interface HunksHost {
  readonly hunks: FollowedHunks;
  readonly memory: CommitMemory;
  readonly log: Log;
  /** Trusted workspace and learning on. */
  mayCapture(): boolean;
  /** Is this repository the innermost one that the document lies in? */
  owns(root: string, document: string): boolean;
  /** Hunks were committed, set aside or let go. */
  changed(): void;
  /** The text without secrets; null: it may not be told at all. `document`: the file that it stands in. */
  tellable(document: string, text: string): Promise<string | null>;
  report(told: GitTold): Promise<void>;
}
