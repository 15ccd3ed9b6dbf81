/** Which trainer a worker runs, and over how many ranks. */
import { z } from 'zod';

/** Ranks of one group: what a node has, or a few. */
const parallel = z.coerce.number().int().min(1).max(64);

export const TrainerName = z.enum(['torch', 'megatron']);
export type TrainerName = z.infer<typeof TrainerName>;

export const TrainerChoice = z.discriminatedUnion('kind', [
  /** The whole model in one process. */
  z.strictObject({ kind: z.literal('torch') }),
  /** One model over `tensorParallel` x `pipelineParallel` ranks of megatron-core. */
  z.strictObject({
    kind: z.literal('megatron'),
    tensorParallel: parallel.default(1),
    pipelineParallel: parallel.default(1),
  }),
]);
export type TrainerChoice = z.infer<typeof TrainerChoice>;

export const TORCH: TrainerChoice = { kind: 'torch' };

/** The flags of a worker that say it. */
export const TrainerFlags = {
  trainer: TrainerName.default('torch'),
  'tensor-parallel': parallel.default(1),
  'pipeline-parallel': parallel.default(1),
};

/** What the flags say, or null where they cut up a model for the torch trainer, which does not cut. */
export function fromFlags(flags: {
  trainer: TrainerName;
  'tensor-parallel': number;
  'pipeline-parallel': number;
}): TrainerChoice | null {
  const { trainer, 'tensor-parallel': tensorParallel, 'pipeline-parallel': pipelineParallel } = flags;
  if (trainer === 'megatron') return { kind: 'megatron', tensorParallel, pipelineParallel };
  return tensorParallel === 1 && pipelineParallel === 1 ? TORCH : null;
}

/** The flags for a worker that is started; the torch trainer is the one without. */
export function toFlags(choice: TrainerChoice): string[] {
  if (choice.kind === 'torch') return [];
  const { tensorParallel, pipelineParallel } = choice;
  return [
    ...['--trainer', 'megatron'],
    ...['--tensor-parallel', String(tensorParallel)],
    ...['--pipeline-parallel', String(pipelineParallel)],
  ];
}
