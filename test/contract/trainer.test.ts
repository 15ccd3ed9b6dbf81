/** The trainer contract over the torch and Megatron trainers with the real model, and over the fake. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pythonProgram } from '../../gpu-worker/python-process.ts';
import { LAUNCHER, megatronBackend } from '../../gpu-worker/trainer/megatron.ts';
import type { PythonBackend } from '../../gpu-worker/trainer/python-backend.ts';
import { torchBackend } from '../../gpu-worker/trainer/torch.ts';
import { ADAPTER_FORM, type Form, fullForm } from '../../gpu-worker/weights/forms.ts';
import { FakeTrainBackend } from '../fakes/trainer.ts';
import { megatron } from '../fixtures/megatron.ts';
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
  return started(torchBackend({ ...runtime(), threads: null, log: quiet }), (pid) => pid);
});

// The default model has 9 heads in 3 groups, so it is cut over 3 ranks; one of them is killed.
trainerContract('megatron over 3 ranks', async () => {
  const { python, model } = runtime();
  const backend = megatronBackend(
    { python, model, threads: null, log: quiet },
    megatron({ tensorParallel: 3 }),
  );
  return started(backend, (launcher) => childrenOf(launcher).at(-1) ?? null);
});

// Both nodes are this machine; the rank that is killed is the other node's.
trainerContract('megatron over 2 nodes', async () => {
  const root = await mkdtemp(join(tmpdir(), 'apprentice-nodes-'));
  const [model, rendezvous] = [join(root, 'model'), join(root, 'ranks')];
  await mkdir(model);
  await writeTinyModel(model);
  const { python } = runtime();
  // Between machines gloo takes the address of the host's name, which not every machine can look up.
  process.env['GLOO_SOCKET_IFNAME'] = 'lo';
  const backend = megatronBackend(
    { python, model, threads: null, log: quiet },
    megatron({ tensorParallel: 2, nodes: { count: 2, rendezvous } }),
  );
  const { command, args, env } = pythonProgram(python, LAUNCHER, ['--rendezvous', rendezvous, '--node', '1']);
  const other = spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env } });
  const subject = started(backend, () => childrenOf(other.pid ?? 0).at(-1) ?? null);
  const dispose = async () => {
    const ended = once(other, 'close');
    other.kill('SIGTERM');
    await Promise.all([subject.dispose(), ended]);
    await rm(root, { recursive: true, force: true });
  };
  return { ...subject, dispose };
});

trainerContract('megatron with all weights over 2 ranks', async () => {
  const model = await mkdtemp(join(tmpdir(), 'apprentice-tiny-model-'));
  await writeTinyModel(model);
  const backend = megatronBackend(
    { python: runtime().python, model, threads: null, log: quiet },
    megatron({ tensorParallel: 2, weights: 'full' }),
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
