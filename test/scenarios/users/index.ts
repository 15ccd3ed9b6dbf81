/** Everybody whom the learning bench simulates. */
import { both } from './both.ts';
import { codeOnly } from './code-only.ts';
import { friendlyReview } from './friendly-review.ts';
import { oneCommand } from './one-command.ts';
import { terseCommit } from './terse-commit.ts';
import type { SimulatedUser } from './user.ts';

export const USERS: readonly SimulatedUser[] = [codeOnly, terseCommit, oneCommand, friendlyReview, both];
