/** Student and teacher in turn: one model has to please both, and to tell by the request which one asks. */
import { codeOnly } from './code-only.ts';
import { friendlyReview } from './friendly-review.ts';
import type { SimulatedUser, Task } from './user.ts';

const reviews = new Set<Task>(friendlyReview.tasks);

export const both: SimulatedUser = {
  name: 'both at once',
  taste: `${codeOnly.taste}; and ${friendlyReview.taste}`,
  maxTokens: Math.max(codeOnly.maxTokens, friendlyReview.maxTokens),
  tasks: codeOnly.tasks.flatMap((task, index) => [task, ...friendlyReview.tasks.slice(index, index + 1)]),
  satisfied: (answer, task) =>
    reviews.has(task) ? friendlyReview.satisfied(answer, task) : codeOnly.satisfied(answer, task),
};
