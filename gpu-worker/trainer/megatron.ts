/**
 * The Megatron trainer: one model over several ranks, a group that stays between batches. Its launcher ends all ranks
 * when one dies, and so itself; then the group is started anew like any other child. Nodes besides this one run
 * `apprentice-worker --join` (cli/join.ts).
 */
import { availableParallelism } from 'node:os';
import {
  type Megatron,
  ranksOf,
  toMegatronFlags,
  toNodeFlags,
} from '../../agent-server/protocol/trainer-choice.ts';
import { PythonBackend } from './python-backend.ts';
import type { TorchOptions } from './torch.ts';

const TRAINER = 'apprentice_worker.megatron.trainer';
export const LAUNCHER = 'apprentice_worker.megatron.launch';

export function megatronBackend(options: TorchOptions, choice: Megatron): PythonBackend {
  const { python, model, threads, device = 'cpu', log } = options;
  const ranks = ranksOf(choice);
  // The cores are shared out: ranks compute all at once, and wait for one another.
  const here = ranks / (choice.nodes?.count ?? 1);
  const each = Math.max(1, Math.floor((threads ?? availableParallelism()) / here));
  const args = ['--model', model, ...toMegatronFlags(choice), '--threads', String(each), '--device', device];
  if (ranks === 1) return new PythonBackend({ python, module: TRAINER, args, log });
  return new PythonBackend({
    ...{ python, module: LAUNCHER, log },
    args: [...toNodeFlags(choice), String(ranks), ...args],
  });
}
