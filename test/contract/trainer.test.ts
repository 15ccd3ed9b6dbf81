/** The trainer contract over the torch and Megatron trainers with the real model, and over the fake. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { megatronBackend } from '../../gpu-worker/trainer/megatron.ts';
import type { PythonBackend } from '../../gpu-worker/trainer/python-backend.ts';
import { torchBackend } from '../../gpu-worker/trainer/torch.ts';
import { ADAPTER_FORM, type Form, fullForm } from '../../gpu-worker/weights/forms.ts';
import { FakeTrainBackend } from '../fakes/trainer.ts';
import { childrenOf } from '../fixtures/process-tree.ts';
import { runtime } from '../fixtures/runtime.ts';
import { writeTinyModel } from '../fixtures/tiny-model.ts';
import { type Subject, trainerContract } from './trainer.ts';

const quiet = (): void => {};

trainerContract('fake', async () => {
  const backend = new FakeTrainBackend();
  return { backend, form: ADAPTER_FORM, kill: () => backend.kill(), dispose: async () => {} };
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
    { kind: 'megatron', tensorParallel: 3, pipelineParallel: 1, dataParallel: 1, weights: 'adapter' },
  );
  return started(backend, (launcher) => childrenOf(launcher).at(-1) ?? null);
});

trainerContract('megatron with all weights over 2 ranks', async () => {
  const model = await mkdtemp(join(tmpdir(), 'apprentice-tiny-model-'));
  await writeTinyModel(model);
  const backend = megatronBackend(
    { python: runtime().python, model, threads: null, log: quiet },
    { kind: 'megatron', tensorParallel: 2, pipelineParallel: 1, dataParallel: 1, weights: 'full' },
  );
  const subject = started(backend, (launcher) => childrenOf(launcher).at(-1) ?? null, fullForm());
  const dispose = async () => {
    await subject.dispose();
    await rm(model, { recursive: true, force: true });
  };
  return { ...subject, dispose };
});

function started(
  backend: PythonBackend,
  victim: (pid: number) => number | null,
  form: Form = ADAPTER_FORM,
): Subject {
  backend.start();
  return {
    backend,
    form,
    kill: () => {
      const pid = backend.pid();
      const killed = pid === null ? null : victim(pid);
      if (killed !== null) process.kill(killed, 'SIGKILL');
    },
    dispose: () => backend.stop(),
  };
}
