/** Lessons: every default stands here, once. The bench justifies them. */
import { z } from 'zod';

export const LessonsConfig = z.strictObject({
  /** Off: corrections act through the weights alone. Lessons are kept and listed all the same. */
  enabled: z.boolean().default(true),
  /**
   * Lessons in one prompt. On the built-in model one carries "code only" (8 of 8 held-out requests), two carry terse
   * commit messages (11 of 12; one: 8) and reviews (11 of 12; one: 3; four: 12); eight add nothing to four.
   */
  max: z.number().int().min(1).max(32).default(4),
  /** Tokens of all of them together: on a CPU 600 take a second to read, the first time. */
  maxTokens: z.number().int().min(32).max(8_192).default(600),
});
export type LessonsConfig = z.infer<typeof LessonsConfig>;
