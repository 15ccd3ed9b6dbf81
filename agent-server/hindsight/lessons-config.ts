/** Lessons: every default stands here, once. The bench justifies them. */
import { z } from 'zod';

export const LessonsConfig = z.strictObject({
  /** Off: corrections act through the weights alone. Lessons are kept and listed all the same. */
  enabled: z.boolean().default(true),
  /** Lessons in one prompt. On the built-in model 1 or 2 examples carry a form of code, 4 to 8 one of messages. */
  max: z.number().int().min(1).max(32).default(4),
  /** Tokens of all of them together: on a CPU 600 take a second to read, the first time. */
  maxTokens: z.number().int().min(32).max(8_192).default(600),
});
export type LessonsConfig = z.infer<typeof LessonsConfig>;
