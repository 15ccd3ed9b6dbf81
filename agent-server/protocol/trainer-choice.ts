/** Which trainer a worker runs, and over how many ranks. */
import { z } from 'zod';

/** Ranks of one group: what a node has, or a few. */
const parallel = z.coerce.number().int().min(1).max(64);

export const TrainerName = z.enum(['torch', 'megatron']);
export type TrainerName = z.infer<typeof TrainerName>;

/**
 * Of the torch trainer's products with the base's linear layers. auto: bfloat16 on a processor that multiplies it
 * natively, else float32.
 */
export const TrainerPrecision = z.enum(['auto', 'float32']);
export type TrainerPrecision = z.infer<typeof TrainerPrecision>;

export const TrainerChoice = z.discriminatedUnion('kind', [
  /** The whole model in one process. */
  z.strictObject({ kind: z.literal('torch'), precision: TrainerPrecision.default('auto') }),
  /** One model over `tensorParallel` x `pipelineParallel` ranks of megatron-core, `dataParallel` times. */
  z.strictObject({
    kind: z.literal('megatron'),
    tensorParallel: parallel.default(1),
    pipelineParallel: parallel.default(1),
    dataParallel: parallel.default(1),
  }),
]);
export type TrainerChoice = z.infer<typeof TrainerChoice>;
export type Megatron = Extract<TrainerChoice, { kind: 'megatron' }>;

export const TORCH: TrainerChoice = { kind: 'torch', precision: 'auto' };

/** The flags of a worker that say it. */
export const TrainerFlags = {
  trainer: TrainerName.default('torch'),
  precision: TrainerPrecision.default('auto'),
  'tensor-parallel': parallel.default(1),
  'pipeline-parallel': parallel.default(1),
  'data-parallel': parallel.default(1),
};

/**
 * What the flags say, or null where they ask the torch trainer, which is one process, for several ranks, or the other
 * for a precision.
 */
export function fromFlags(flags: {
  trainer: TrainerName;
  precision: TrainerPrecision;
  'tensor-parallel': number;
  'pipeline-parallel': number;
  'data-parallel': number;
}): TrainerChoice | null {
  const choice = {
    tensorParallel: flags['tensor-parallel'],
    pipelineParallel: flags['pipeline-parallel'],
    dataParallel: flags['data-parallel'],
  };
  const megatron = { kind: 'megatron', ...choice } as const;
  if (flags.trainer === 'megatron') return flags.precision === 'auto' ? megatron : null;
  return ranksOf(megatron) === 1 ? { kind: 'torch', precision: flags.precision } : null;
}

/** The flags for a worker that is started; the torch trainer is the one without. */
export function toFlags(choice: TrainerChoice): string[] {
  if (choice.kind === 'megatron') return ['--trainer', 'megatron', ...toParallelFlags(choice)];
  return choice.precision === 'auto' ? [] : ['--precision', choice.precision];
}

/** How a model is cut up, as worker and Megatron trainer alike are told it. */
export function toParallelFlags(choice: Megatron): string[] {
  return [
    ...['--tensor-parallel', String(choice.tensorParallel)],
    ...['--pipeline-parallel', String(choice.pipelineParallel)],
    ...['--data-parallel', String(choice.dataParallel)],
  ];
}

/** Processes of the group. */
export function ranksOf({ tensorParallel, pipelineParallel, dataParallel }: Megatron): number {
  return tensorParallel * pipelineParallel * dataParallel;
}
