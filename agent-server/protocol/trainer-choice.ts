/** Which trainer a worker runs, over how many ranks, and what it trains. */
import { z } from 'zod';
import { TrainedWeights } from './training.ts';

/** Ranks of one group: what a node has, or a few nodes have. */
const parallel = z.coerce.number().int().min(1).max(64);
const nodeCount = z.coerce.number().int().min(1).max(64);

/** The machines that a group's ranks are on, an equal part on each. */
const Nodes = z.strictObject({
  count: nodeCount.min(2),
  /** A folder that all of them see under this path and only their user can read: there they meet. */
  rendezvous: z.string().min(1),
});

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
    /** Null: all ranks are on this machine. */
    nodes: Nodes.nullable().default(null),
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
  nodes: nodeCount.default(1),
  rendezvous: z.string().min(1).optional(),
};

/**
 * What the flags say, or null where they ask the torch trainer, one process for adapters, for ranks or all weights, or
 * the other for a precision; and where nodes have no place to meet, no equal part of the ranks, or there is one alone.
 */
export function fromFlags(flags: z.output<z.ZodObject<typeof TrainerFlags>>): TrainerChoice | null {
  const { nodes: count, rendezvous } = flags;
  if (count > 1 !== (rendezvous !== undefined)) return null;
  const choice = {
    tensorParallel: flags['tensor-parallel'],
    pipelineParallel: flags['pipeline-parallel'],
    dataParallel: flags['data-parallel'],
    weights: flags['trained-weights'],
    nodes: rendezvous === undefined ? null : { count, rendezvous },
  };
  const megatron = { kind: 'megatron', ...choice } as const;
  if (ranksOf(megatron) % count !== 0) return null;
  if (flags.trainer === 'megatron') return flags.precision === 'auto' ? megatron : null;
  const oneProcess = ranksOf(megatron) === 1 && choice.weights === 'adapter';
  return oneProcess ? { kind: 'torch', precision: flags.precision } : null;
}

/** The flags for a worker that is started; the torch trainer is the one without. */
export function toFlags(choice: TrainerChoice): string[] {
  if (choice.kind === 'megatron')
    return ['--trainer', 'megatron', ...toMegatronFlags(choice), ...toNodeFlags(choice)];
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

/** Where its ranks are, as worker and launcher are told it; none for one machine. */
export function toNodeFlags({ nodes }: Megatron): string[] {
  return nodes === null ? [] : ['--nodes', String(nodes.count), '--rendezvous', nodes.rendezvous];
}

/** Processes of the group. */
export function ranksOf({
  tensorParallel,
  pipelineParallel,
  dataParallel,
}: Pick<Megatron, 'tensorParallel' | 'pipelineParallel' | 'dataParallel'>): number {
  return tensorParallel * pipelineParallel * dataParallel;
}
