/** What `--check` says of the Megatron trainer, where it is chosen: is it there, and a GPU for each rank? */
import { ranksOf } from '../../agent-server/protocol/trainer-choice.ts';
import type { Finding } from './check.ts';
import type { Options } from './options.ts';
import { deviceOf, type Probe } from './probe-python.ts';
import { pinned } from './requirements.ts';

export const MEGATRON = 'megatron-core';

export function megatronFindings({ trainer, device }: Options, { packages, torch }: Probe): Finding[] {
  if (trainer.kind === 'torch') return [];
  const what = 'megatron';
  const wanted = pinned('requirements-megatron.txt').get(MEGATRON)?.[0] ?? '';
  const found = packages[MEGATRON];
  if (found !== wanted)
    return [
      {
        kind: found == null ? 'fault' : 'note',
        what,
        found: `${MEGATRON} ${found ?? 'is missing'}`,
        remedy:
          process.platform === 'linux'
            ? `Wanted is ${wanted}: run apprentice-worker --setup --trainer megatron.`
            : 'It has no build for this system: start the worker with --trainer torch.',
      },
    ];
  const count = trainer.nodes?.count ?? 1;
  const here = ranksOf(trainer) / count;
  const { tensorParallel, pipelineParallel, dataParallel } = trainer;
  const on = count === 1 ? '' : ` on ${count} nodes, ${here} here`;
  const cut = `${ranksOf(trainer)} ranks${on} (tensor ${tensorParallel}, pipeline ${pipelineParallel}, data ${dataParallel})`;
  const gpus = torch?.devices.length ?? 0;
  const short = deviceOf(device, { torch }).startsWith('cuda') && gpus < here;
  return [
    {
      kind: short ? 'fault' : 'ok',
      what,
      found: `${MEGATRON} ${found}, ${cut}${short ? `, and ${gpus} GPUs` : ''}`,
      remedy: short
        ? 'Each rank takes a GPU: lower --tensor-parallel, --pipeline-parallel or --data-parallel.'
        : '',
    },
  ];
}
