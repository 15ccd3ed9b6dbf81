/**
 * The Megatron trainer: one model over several ranks, a group that stays between batches. Its launcher ends all ranks
 * when one dies, and so itself; then the group is started anew like any other child.
 */
import { availableParallelism } from 'node:os';
import { PythonBackend } from './python-backend.ts';
import type { TorchOptions } from './torch.ts';

export interface MegatronOptions extends TorchOptions {
  /** Ranks that each layer is cut over. */
  tensorParallel: number;
  /** Groups of layers, one after the other. */
  pipelineParallel: number;
}

const TRAINER = 'apprentice_worker.megatron.trainer';
const LAUNCHER = 'apprentice_worker.megatron.launch';

export function megatronBackend(options: MegatronOptions): PythonBackend {
  const { python, model, device = 'cpu', tensorParallel, pipelineParallel, log } = options;
  const ranks = tensorParallel * pipelineParallel;
  const cut = ['--tensor-parallel', String(tensorParallel), '--pipeline-parallel', String(pipelineParallel)];
  const args = [
    '--model',
    model,
    ...cut,
    '--threads',
    String(threadsOfRank(options, ranks)),
    '--device',
    device,
  ];
  if (ranks === 1) return new PythonBackend({ python, module: TRAINER, args, log });
  return new PythonBackend({ python, module: LAUNCHER, args: [String(ranks), ...args], log });
}

/** The cores are shared out: ranks compute all at once, and wait for one another. */
function threadsOfRank({ threads }: MegatronOptions, ranks: number): number {
  return Math.max(1, Math.floor((threads ?? availableParallelism()) / ranks));
}
