/** The JSON lines between the worker and `apprentice_worker.trainer`. */
import { z } from 'zod';
import { ErrorCode } from '../../agent-server/protocol/errors.ts';
import { TrainMetrics } from '../../agent-server/protocol/training.ts';

export const TrainerEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({
    type: z.literal('progress'),
    id: z.string(),
    phase: z.enum(['loading', 'training', 'saving']),
    fraction: z.number().min(0).max(1),
  }),
  z.object({ type: z.literal('done'), id: z.string(), metrics: TrainMetrics }),
  z.object({ type: z.literal('error'), id: z.string(), code: ErrorCode, message: z.string() }),
]);
export type TrainerEvent = z.infer<typeof TrainerEvent>;

export type TrainerCommand =
  | {
      type: 'train';
      id: string;
      batch: string;
      parent: string | null;
      optimizer_in: string | null;
      out: string;
      optimizer_out: string;
    }
  | { type: 'cancel'; id: string };
