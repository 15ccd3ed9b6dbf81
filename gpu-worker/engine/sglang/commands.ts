/** What one server of SGLang is told that changes it: adapters in and out, a pause, other weights. */
import { z } from 'zod';
import { ApprenticeError, toApprenticeError } from '../../../agent-server/protocol/errors.ts';
import { WeightVersion } from '../../../agent-server/protocol/ids.ts';
import { ModelList } from './attached-server.ts';
import { call, callJson } from './client.ts';
import type { ServerEndpoint } from './foreign-server.ts';

/** Loading an adapter reads a disk; beyond this something hangs. */
const COMMAND_LIMIT_MS = 120_000;
/** Gigabytes from a network's disk. */
const WEIGHTS_LIMIT_MS = 600_000;

const Success = z.object({ success: z.literal(true) });

/** A command whose answer says nothing. Throws what client.ts does. */
export async function post(server: ServerEndpoint, path: string, body: object): Promise<void> {
  const signal = AbortSignal.timeout(COMMAND_LIMIT_MS);
  const answer = await call(server, { method: 'POST', path, body, access: 'admin' }, signal);
  await answer.body?.cancel();
}

/** Throws `adapter_invalid` with the server's reason. The folder is read by the server: it must have the same path there. */
export async function loadInto(server: ServerEndpoint, name: string, folder: string): Promise<void> {
  const body = { lora_name: name, lora_path: folder, pinned: false };
  const asked = { method: 'POST', path: '/load_lora_adapter', body, access: 'admin' } as const;
  try {
    await callJson(server, asked, Success, AbortSignal.timeout(COMMAND_LIMIT_MS));
  } catch (thrown) {
    const error = toApprenticeError(thrown);
    if (error.code !== 'adapter_not_loaded' && error.code !== 'invalid_request') throw error;
    throw new ApprenticeError(
      'adapter_invalid',
      `The engine did not load ${name} from ${folder}. ${error.message}`,
      'Nothing was changed.',
      { cause: error },
    );
  }
}

/** Resolves also where the server does not have it. */
export async function unloadFrom(server: ServerEndpoint, name: string): Promise<void> {
  const asked = {
    method: 'POST',
    path: '/unload_lora_adapter',
    body: { lora_name: name },
    access: 'admin',
  } as const;
  try {
    await callJson(server, asked, Success, AbortSignal.timeout(COMMAND_LIMIT_MS));
  } catch (thrown) {
    if (toApprenticeError(thrown).code !== 'adapter_not_loaded') throw thrown;
  }
}

/** Unloads every adapter that bears a version's name. */
export async function dropVersions(server: ServerEndpoint): Promise<void> {
  const asked = { method: 'GET', path: '/v1/models', access: 'use' } as const;
  const { data } = await callJson(server, asked, ModelList, AbortSignal.timeout(COMMAND_LIMIT_MS));
  for (const { id } of data) if (WeightVersion.safeParse(id).success) await unloadFrom(server, id);
}

/** Weights of a folder, and what a server that has them says in every answer: no other weights are called so. */
export interface GivenWeights {
  folder: string;
  label: string;
}

/**
 * A folder's weights in place of the server's, while nothing is generated. Throws `invalid_request` with the server's
 * reason where it keeps its old ones.
 */
export async function updateIn(
  server: ServerEndpoint,
  { folder, label }: GivenWeights,
  then: 'continue' | 'stay paused',
): Promise<void> {
  await post(server, '/pause_generation', { mode: 'in_place' });
  try {
    const body = { model_path: folder, weight_version: label };
    const asked = { method: 'POST', path: '/update_weights_from_disk', body, access: 'admin' } as const;
    await callJson(server, asked, Success, AbortSignal.timeout(WEIGHTS_LIMIT_MS));
  } finally {
    if (then === 'continue') await post(server, '/continue_generation', {});
  }
}
