/**
 * A simulated user: requests, a taste that is never put into words, and the answer that they would have written.
 * Everything is deterministic, so that arms of an experiment meet the same person.
 */
import { permutation, type Random, reorder } from '../../../agent-server/learning/random.ts';

export interface Task {
  readonly request: string;
  /** What the user writes in place of an answer that breaks their taste. */
  readonly rewrite: string;
  /** Words of the request that an answer must take up to be about it at all; [] where the form is all. */
  readonly mentions: readonly string[];
}

export interface SimulatedUser {
  readonly name: string;
  /** One sentence for a report. The model never sees it. */
  readonly taste: string;
  readonly tasks: readonly Task[];
  /** Does the first answer satisfy? A rewrite of the same task always does. */
  satisfied(answer: string, task: Task): boolean;
  /** Room for most answers of the base model, so that what it is like before learning can be told, and distilled. */
  readonly maxTokens: number;
}

/** Tasks that are never learnt from. */
export const HELD_OUT = 12;

/** The user's tasks in the order of a seed: those to interact on, and those held out. */
export function split(user: SimulatedUser, random: Random): { interactions: Task[]; heldOut: Task[] } {
  const tasks = reorder(user.tasks, permutation(user.tasks.length, random));
  return { heldOut: tasks.slice(0, HELD_OUT), interactions: tasks.slice(HELD_OUT) };
}
