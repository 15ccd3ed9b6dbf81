/** Which trainer a worker runs, over how many ranks, and what it trains. */
import { z } from 'zod';
import { TrainedWeights } from './training.ts';

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
    /** An adapter for the engine to put on its base, or all weights for it to change to. */
    weights: TrainedWeights.default('adapter'),
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
  'trained-weights': TrainedWeights.default('adapter'),
};

/**
 * What the flags say, or null where they ask the torch trainer, one process for adapters, for ranks or all weights, or
 * the other for a precision.
 */
export function fromFlags(flags: {
  trainer: TrainerName;
  precision: TrainerPrecision;
  'tensor-parallel': number;
  'pipeline-parallel': number;
  'data-parallel': number;
  'trained-weights': TrainedWeights;
}): TrainerChoice | null {
  const choice = {
    tensorParallel: flags['tensor-parallel'],
    pipelineParallel: flags['pipeline-parallel'],
    dataParallel: flags['data-parallel'],
    weights: flags['trained-weights'],
  };
  const megatron = { kind: 'megatron', ...choice } as const;
  if (flags.trainer === 'megatron') return flags.precision === 'auto' ? megatron : null;
  const oneProcess = ranksOf(megatron) === 1 && choice.weights === 'adapter';
  return oneProcess ? { kind: 'torch', precision: flags.precision } : null;
}

/** The flags for a worker that is started; the torch trainer is the one without. */
export function toFlags(choice: TrainerChoice): string[] {
  if (choice.kind === 'megatron') return ['--trainer', 'megatron', ...toMegatronFlags(choice)];
  return choice.precision === 'auto' ? [] : ['--precision', choice.precision];
}

/** How a model is cut up and what of it is trained, as worker and Megatron trainer alike are told it. */
export function toMegatronFlags(choice: Megatron): string[] {
  return [
    ...['--tensor-parallel', String(choice.tensorParallel)],
    ...['--pipeline-parallel', String(choice.pipelineParallel)],
    ...['--data-parallel', String(choice.dataParallel)],
    ...(choice.weights === 'adapter' ? [] : ['--trained-weights', choice.weights]),
  ];
}

/** Processes of the group. */
export function ranksOf({ tensorParallel, pipelineParallel, dataParallel }: Megatron): number {
  return tensorParallel * pipelineParallel * dataParallel;
}
