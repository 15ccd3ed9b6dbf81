/** What a replay tells while it runs. Tables and reports are made of it; the run knows none of them. */
import type { WeightVersion } from '../../protocol/ids.ts';
import type { PanelSnapshot } from '../../protocol/panel.ts';

export type ArmName = 'learn' | 'control';
export type Phase = 'starting' | 'before' | 'learning' | 'settling' | 'after';

/** A training commit as it stands so far. */
export interface TrainingRow {
  /** From 0, oldest first. */
  index: number;
  sha: string;
  real: string;
  proposed: string;
  version: WeightVersion;
  /** Null until it is judged, or when it could not be. */
  score: 1 | 0 | -1 | null;
  /** The version that learnt from it; null until then, and for good when there was nothing to learn. */
  learntBy: WeightVersion | null;
  state: 'answered' | 'judged' | 'done';
}

export type Progress =
  | { kind: 'phase'; arm: ArmName; phase: Phase; total: number }
  /** One of the held-out commits was answered. */
  | { kind: 'heldOut'; arm: ArmName; done: number; total: number }
  | { kind: 'row'; arm: ArmName; row: TrainingRow; total: number }
  | { kind: 'snapshot'; arm: ArmName; snapshot: PanelSnapshot }
  /** Something died or was not there and is being tried again. */
  | { kind: 'trouble'; arm: ArmName; text: string };
