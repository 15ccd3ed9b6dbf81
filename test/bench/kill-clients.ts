/**
 * The clients of kill.ts: each keeps what it has to say until it is acknowledged, as the editor does, and comes back
 * to whatever agent-server serves the home folder now.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { readDiscovery } from '../../agent-server/discovery.ts';
import { connectEditorClient, type EditorClient } from '../../agent-server/lsp/client.ts';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { Observation } from '../../agent-server/protocol/observations.ts';

const RETRY_MS = 50;
const REQUEST_LIMIT_MS = 10_000;
/** One in so many next states says how the answer should have been: these make samples. */
const CORRECTION_EVERY = 10;

export interface Kept {
  /** Ids of observations that the agent-server acknowledged. */
  observations: string[];
  /** Ids of turns whose answer came to its end. */
  turns: string[];
  /** Requests that failed and were made again. */
  retries: number;
}

/** Asks for turns through the gateway until `signal`; notes each that was answered whole. */
export async function askForTurns(
  home: string,
  kept: Kept,
  pauseMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const found = readDiscovery(home);
      if (found === undefined) throw new Error('no agent-server');
      const response = await fetch(`http://127.0.0.1:${found.port}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${found.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'apprentice',
          messages: [{ role: 'user', content: `Mend part ${randomUUID()}.` }],
          max_tokens: 24,
        }),
        signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
      });
      const body: unknown = await response.json();
      if (!response.ok || typeof body !== 'object' || body === null || !('id' in body))
        throw new Error('refused');
      kept.turns.push(String(body.id).replace(/^chatcmpl-/, ''));
    } catch {
      // Whatever it was, the process may have been killed under it: asked again.
      kept.retries += 1;
    }
    await delay(pauseMs);
  }
}

/** Reports next states of the turns, `perSecond` and in order, each until it is acknowledged. */
export async function reportNextStates(
  home: string,
  kept: Kept,
  perSecond: number,
  signal: AbortSignal,
): Promise<void> {
  let client: EditorClient | undefined;
  const send = async (observation: Observation): Promise<void> => {
    for (;;) {
      try {
        client ??= await connect(home);
        await client.request(editorRequests.observe, observation, { timeoutMs: REQUEST_LIMIT_MS });
        kept.observations.push(observation.observationId);
        return;
      } catch (thrown) {
        const { code } = toApprenticeError(thrown);
        if (code === 'invalid_request') throw thrown;
        kept.retries += 1;
        client?.close();
        client = undefined;
        await delay(RETRY_MS);
      }
    }
  };
  const beganMs = performance.now();
  for (let count = 0; !signal.aborted; ) {
    const due = Math.floor(((performance.now() - beganMs) / 1000) * perSecond);
    const turnId = kept.turns[Math.floor(Math.random() * kept.turns.length)];
    if (count >= due || turnId === undefined) {
      await delay(5);
      continue;
    }
    count += 1;
    await send(nextState(count, turnId));
  }
  client?.close();
}

async function connect(home: string): Promise<EditorClient> {
  const found = readDiscovery(home);
  if (found === undefined) throw new Error('no agent-server');
  const client = await connectEditorClient(found, 'kill');
  await client.request(editorRequests.setLearning, { state: 'on' });
  return client;
}

function nextState(count: number, turnId: string): Observation {
  const common = { observationId: randomUUID(), observedAt: new Date().toISOString(), turnId };
  return editorRequests.observe.params.parse(
    count % CORRECTION_EVERY === 0
      ? { ...common, kind: 'user_edit', moment: 'final', text: `fix: part ${count} holds`, survival: null }
      : {
          ...common,
          kind: 'terminal',
          source: 'user',
          commandLine: 'make',
          cwd: null,
          exitCode: 0,
          output: 'built',
        },
  );
}
