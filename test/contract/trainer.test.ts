/** The trainer contract over the torch and Megatron trainers with the real model, and over the fake. */

import { megatronBackend } from '../../gpu-worker/trainer/megatron.ts';
import type { PythonBackend } from '../../gpu-worker/trainer/python-backend.ts';
import { torchBackend } from '../../gpu-worker/trainer/torch.ts';
import { FakeTrainBackend } from '../fakes/trainer.ts';
import { childrenOf } from '../fixtures/process-tree.ts';
import { runtime } from '../fixtures/runtime.ts';
import { type Subject, trainerContract } from './trainer.ts';

const quiet = (): void => {};

trainerContract('fake', async () => {
  const backend = new FakeTrainBackend();
  return { backend, kill: () => backend.kill(), dispose: async () => {} };
});

trainerContract('torch', async () => {
  const { python, model } = runtime();
  return started(torchBackend({ python, model, threads: null, log: quiet }), (pid) => pid);
});

// The default model has 9 heads in 3 groups, so it is cut over 3 ranks; one of them is killed.
trainerContract('megatron over 3 ranks', async () => {
  const { python, model } = runtime();
  const backend = megatronBackend(
    { python, model, threads: null, log: quiet },
    { kind: 'megatron', tensorParallel: 3, pipelineParallel: 1, dataParallel: 1 },
  );
  return started(backend, (launcher) => childrenOf(launcher).at(-1) ?? null);
});

function started(backend: PythonBackend, victim: (pid: number) => number | null): Subject {
  backend.start();
  return {
    backend,
    kill: () => {
      const pid = backend.pid();
      const killed = pid === null ? null : victim(pid);
      if (killed !== null) process.kill(killed, 'SIGKILL');
    },
    dispose: () => backend.stop(),
  };
}
