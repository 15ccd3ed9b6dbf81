/** The trainer contract over the torch trainer with the real model, and over the fake. */

import { TorchBackend } from '../../gpu-worker/trainer/torch.ts';
import { FakeTrainBackend } from '../fakes/trainer.ts';
import { runtime } from '../fixtures/runtime.ts';
import { trainerContract } from './trainer.ts';

trainerContract('fake', async () => {
  const backend = new FakeTrainBackend();
  return { backend, kill: () => backend.kill(), dispose: async () => {} };
});

trainerContract('torch', async () => {
  const { python, model } = runtime();
  const backend = new TorchBackend({ python, model, threads: null, log: () => {} });
  backend.start();
  return {
    backend,
    kill: () => {
      const pid = backend.pid();
      if (pid !== null) process.kill(pid, 'SIGKILL');
    },
    dispose: () => backend.stop(),
  };
});
