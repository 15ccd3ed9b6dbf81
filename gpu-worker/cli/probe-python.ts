/** What the Python of a worker has: packages, torch, and what it can compute on. Asked in a process of its own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ApprenticeError } from '../../agent-server/protocol/errors.ts';

/** Importing torch from a cold disk. */
const PROBE_LIMIT_MS = 120_000;

const PROGRAM = `
import importlib.metadata as metadata, json, sys
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
packages = {name: version(name) for name in sys.argv[1:]}
found = {"python": "%d.%d.%d" % sys.version_info[:3], "packages": packages, "torch": None}
try:
    import torch
    cuda = torch.cuda.is_available()
    found["torch"] = {
        "version": torch.__version__,
        "cudaBuild": torch.version.cuda,
        "cuda": cuda,
        "threads": torch.get_num_threads(),
        "devices": [
            {
                "name": torch.cuda.get_device_name(index),
                "totalBytes": torch.cuda.mem_get_info(index)[1],
                "freeBytes": torch.cuda.mem_get_info(index)[0],
                "capability": "%d.%d" % torch.cuda.get_device_capability(index),
            }
            for index in range(torch.cuda.device_count() if cuda else 0)
        ],
    }
except Exception as error:
    found["error"] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
`;

const Probe = z.object({
  python: z.string(),
  packages: z.record(z.string(), z.string().nullable()),
  torch: z
    .object({
      version: z.string(),
      cudaBuild: z.string().nullable(),
      cuda: z.boolean(),
      threads: z.number().int(),
      devices: z.array(
        z.object({
          name: z.string(),
          totalBytes: z.number(),
          freeBytes: z.number(),
          capability: z.string(),
        }),
      ),
    })
    .nullable(),
  error: z.string().optional(),
});
export type Probe = z.infer<typeof Probe>;

/** Throws `setup_failed` when the interpreter does not run. */
export async function probePython(python: string, packages: readonly string[]): Promise<Probe> {
  try {
    const { stdout } = await promisify(execFile)(python, ['-c', PROGRAM, ...packages], {
      timeout: PROBE_LIMIT_MS,
      encoding: 'utf8',
      windowsHide: true,
    });
    return Probe.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n').at(-1) : String(error);
    throw new ApprenticeError(
      'setup_failed',
      `${python} does not run: ${why}.`,
      'Run apprentice-worker --setup, or name another interpreter with --python.',
      { cause: error },
    );
  }
}

/** torch's name of the device that `auto` means here. */
export function deviceOf(asked: string, probe: Pick<Probe, 'torch'>): string {
  if (asked !== 'auto') return asked;
  return probe.torch?.cuda === true ? 'cuda' : 'cpu';
}
