/**
 * The engine's contract through a supervised server of SGLang: its stand-in with the real small model, started by
 * SGLang's own command line.
 */
import { modelSizes } from '../../fixtures/adapter.ts';
import { runtime } from '../../fixtures/runtime.ts';
import { ONE_SGLANG, startChosenEngine } from '../../fixtures/sglang-engine.ts';
import { standinEnv } from '../../fixtures/sglang-standin.ts';
import { engineContract } from '../engine.ts';

engineContract('SGLang (stand-in over the embedded engine)', async () => {
  const { model } = runtime();
  const env = standinEnv('embedded');
  const { url, close } = await startChosenEngine(ONE_SGLANG, { model, env, log: () => {} });
  return { url, sizes: await modelSizes(model), close };
});
