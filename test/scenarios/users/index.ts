/** Everybody whom the learning bench simulates. */
import { both } from './both.ts';
import { codeOnly } from './code-only.ts';
import { commandAndComment } from './command-and-comment.ts';
import { friendlyReview } from './friendly-review.ts';
import { terseCommit } from './terse-commit.ts';
import type { SimulatedUser } from './user.ts';

export const USERS: readonly SimulatedUser[] = [
  codeOnly,
  terseCommit,
  commandAndComment,
  friendlyReview,
  both,
];
