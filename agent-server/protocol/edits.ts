/** What an agent's answer does to files, as told to editors, which see whether it is done. All of it is data. */
import { z } from 'zod';

export const ProposedEdit = z.object({
  /** As the model wrote it: relative to whatever folder its agent works in, or absolute. Never opened. */
  path: z.string().max(4096),
  /** The lines that went; '' for new ones, null for a file that is written as a whole. */
  before: z.string().max(65_536).nullable(),
  /** The lines that came; '' for a deletion. */
  after: z.string().max(65_536),
});
export type ProposedEdit = z.infer<typeof ProposedEdit>;
