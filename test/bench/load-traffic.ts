/** The traffic of load.ts: next states of every quick kind at a fixed rate over real sockets, and turns through the gateway. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { EditorClient } from '../../agent-server/lsp/client.ts';
import { BackOff } from '../../agent-server/protocol/back-off.ts';
import type { Discovery } from '../../agent-server/protocol/discovery.ts';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import { toApprenticeError } from '../../agent-server/protocol/errors.ts';
import type { Observation } from '../../agent-server/protocol/observations.ts';

/** How often the next ones are sent. */
const TICK_MS = 10;
/** Sent and not answered: beyond it the sender falls behind instead of piling up. */
const MAX_IN_FLIGHT = 2_000;
/** Turns through the gateway at once, and the pause of each after an answer. */
const CHATTERS = 4;
const CHAT_PAUSE_MS = 100;

export interface Traffic {
  /** One number an acknowledged next state, in the order of their sending. */
  ackMs: number[];
  acknowledged: string[];
  sent: number;
  queueFull: number;
  /** Ticks at which the sender had too many under way to send more. */
  behind: number;
  turns: number;
  /** By code; `queue_full` is not one of them. */
  failures: Map<string, number>;
}

export interface Plan {
  clients: readonly EditorClient[];
  discovery: Discovery;
  /** Turns of the store that next states are about, beside those that are made: the newest, and some of any age. */
  recent: readonly string[];
  anyAge: readonly string[];
  perSecond: number;
  seconds: number;
}

/** Runs the plan to its end; every next state sent is acknowledged, or its failure is counted. */
export async function sendTraffic(plan: Plan): Promise<Traffic> {
  const traffic: Traffic = {
    ackMs: [],
    acknowledged: [],
    sent: 0,
    queueFull: 0,
    behind: 0,
    turns: 0,
    failures: new Map(),
  };
  const made: string[] = [];
  const ended = new AbortController();
  const chatters = Array.from({ length: CHATTERS }, () => chat(plan.discovery, made, traffic, ended.signal));
  const underway = new Set<Promise<void>>();
  const beganMs = performance.now();
  while (performance.now() - beganMs < plan.seconds * 1000) {
    const due = Math.floor(((performance.now() - beganMs) / 1000) * plan.perSecond);
    if (underway.size >= MAX_IN_FLIGHT) traffic.behind += 1;
    while (traffic.sent < due && underway.size < MAX_IN_FLIGHT) {
      const index = traffic.sent++;
      const client = plan.clients[index % plan.clients.length];
      const known = aboutWhich(index, made, plan);
      const turnId = known[Math.floor(Math.random() * known.length)];
      if (client === undefined || turnId === undefined) continue;
      const task = report(client, nextState(index, turnId), index, traffic);
      underway.add(task);
      void task.finally(() => underway.delete(task));
    }
    await delay(TICK_MS);
  }
  ended.abort();
  await Promise.all([...underway, ...chatters]);
  return traffic;
}

/** Mostly what was done just now; one in five a turn of this minute, one in twenty one of long ago. */
function aboutWhich(index: number, made: readonly string[], plan: Plan): readonly string[] {
  if (index % 20 === 7) return plan.anyAge;
  return index % 5 === 0 && made.length > 0 ? made : plan.recent;
}

/** As the editor does: what finds the queue full is kept and sent again. */
async function report(client: EditorClient, observation: Observation, index: number, traffic: Traffic) {
  const backOff = new BackOff();
  for (;;) {
    const sentMs = performance.now();
    try {
      await client.request(editorRequests.observe, observation);
      traffic.ackMs[index] = performance.now() - sentMs;
      traffic.acknowledged.push(observation.observationId);
      return;
    } catch (thrown) {
      const { code } = toApprenticeError(thrown);
      if (code !== 'queue_full') {
        traffic.failures.set(code, (traffic.failures.get(code) ?? 0) + 1);
        return;
      }
      traffic.queueFull += 1;
      await delay(backOff.delayMs(0));
    }
  }
}

async function chat(discovery: Discovery, made: string[], traffic: Traffic, signal: AbortSignal) {
  while (!signal.aborted) {
    const response = await fetch(`http://127.0.0.1:${discovery.port}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${discovery.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'apprentice',
        messages: [{ role: 'user', content: `Mend part ${randomUUID()}.` }],
        max_tokens: 32,
      }),
    });
    const body: unknown = await response.json();
    if (response.ok && typeof body === 'object' && body !== null && 'id' in body) {
      made.push(String(body.id).replace(/^chatcmpl-/, ''));
      traffic.turns += 1;
    } else {
      const key = `gateway ${response.status}`;
      traffic.failures.set(key, (traffic.failures.get(key) ?? 0) + 1);
    }
    await delay(CHAT_PAUSE_MS);
  }
}

const OUTPUT = Array.from({ length: 30 }, (_, line) => `  ok ${line} - part ${line} holds`).join('\n');

/**
 * A next state of a kind that goes by the index, mixed as an agent at work makes them: mostly results of tools and
 * tests, with outputs of 1 KB, and one in twenty in which the user says what was wrong.
 */
function nextState(index: number, turnId: string): Observation {
  const common = { observationId: randomUUID(), observedAt: new Date().toISOString(), turnId };
  const failed = index % 3 === 0;
  const exitCode = failed ? 1 : 0;
  const part = index % 20;
  const tool = {
    kind: 'tool_result',
    callId: `call-${index}`,
    toolName: 'run',
    isError: failed,
    text: OUTPUT,
  };
  const terminal = { kind: 'terminal', source: 'user', commandLine: 'npm test', cwd: '/home/user', exitCode };
  const tests = { kind: 'test_run', exitCode, before: null, testDiff: null };
  const edit = { kind: 'user_edit', moment: 'final', text: `fix: part ${index} holds`, survival: null };
  const kind =
    part < 10
      ? tool
      : part < 13
        ? { ...terminal, output: OUTPUT }
        : part < 16
          ? { ...tests, output: `TAP version 13\n${OUTPUT}\n1..30` }
          : part < 18
            ? { kind: 'diagnostics', appeared: [], vanished: [] }
            : part < 19
              ? { kind: 'thumb', value: failed ? -1 : 1 }
              : edit;
  return editorRequests.observe.params.parse({ ...common, ...kind });
}
