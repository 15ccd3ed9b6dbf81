/**
 * An agent that speaks to the gateway and edits files itself, as agents in a terminal do. The agent-server is whole but
 * for its model: what the model answers is what the test says.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readDiscovery } from '../../../agent-server/discovery.ts';
import { connectEditorClient, type EditorClient } from '../../../agent-server/lsp/client.ts';
import type { Discovery } from '../../../agent-server/protocol/discovery.ts';
import { editorRequests } from '../../../agent-server/protocol/editor.ts';

const START_LIMIT_MS = 60_000;

/** Every version of a fake is another model altogether: no gate would let it serve. */
const CONFIG = { learning: { anchors: 0 }, promotion: { turns: 0, anchors: 0 } };

export class ScriptedAgent {
  readonly #home: string;
  readonly #server: ChildProcess;
  readonly #discovery: Discovery;

  private constructor(home: string, server: ChildProcess, discovery: Discovery) {
    this.#home = home;
    this.#server = server;
    this.#discovery = discovery;
  }

  /**
   * Serves the home folder before a window does, with learning on. `learning`: settings of config.json. `tools`: the model
   * was taught to call tools (`willDo`).
   */
  static async start(
    home: string,
    learning: Record<string, unknown> = {},
    model: 'plain' | 'tools' = 'plain',
  ): Promise<ScriptedAgent> {
    const config = { ...CONFIG, learning: { ...CONFIG.learning, ...learning } };
    writeFileSync(join(home, 'config.json'), JSON.stringify(config));
    if (model === 'tools') {
      writeFileSync(stepsFile(home), '[]');
      writeFileSync(answerFile(home), 'There is nothing to say to that.');
    }
    const main = join(import.meta.dirname, '..', '..', 'fakes', 'agent-server', 'main.ts');
    const server = spawn(process.execPath, [main], {
      env: {
        ...process.env,
        APPRENTICE_HOME: home,
        APPRENTICE_FAKE_ANSWER: answerFile(home),
        ...(model === 'tools' ? { APPRENTICE_FAKE_AGENT: stepsFile(home) } : {}),
      },
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const untilMs = performance.now() + START_LIMIT_MS;
    for (let found = readDiscovery(home); performance.now() < untilMs; found = readDiscovery(home)) {
      const client = found && (await connectEditorClient(found, 'agent').catch(() => undefined));
      if (found && client) {
        await client.request(editorRequests.setLearning, { state: 'on' });
        client.close();
        return new ScriptedAgent(home, server, found);
      }
      await delay(50);
    }
    server.kill('SIGKILL');
    throw new Error(`No agent-server serves ${home} after ${START_LIMIT_MS / 1000} s.`);
  }

  /** What the model answers from now on, whoever asks. */
  willAnswer(text: string): void {
    writeFileSync(answerFile(this.#home), text);
  }

  /** What a model with tools answers from now on, after each of these texts where it is the last that was said. */
  willDo(steps: readonly { after: string; answer: string }[]): void {
    writeFileSync(stepsFile(this.#home), JSON.stringify(steps));
  }

  /** One turn of main work; the model answers `answer`. Resolves with the turn's id. */
  async ask(request: string, answer: string): Promise<string> {
    this.willAnswer(answer);
    const { port, token } = this.#discovery;
    const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'x-apprentice-turn': 'main',
      },
      body: JSON.stringify({ model: 'apprentice', messages: [{ role: 'user', content: request }] }),
    });
    if (!response.ok) throw new Error(await response.text());
    const turnId = response.headers.get('x-apprentice-turn-id');
    if (turnId === null) throw new Error('The answer names no turn.');
    return turnId;
  }

  /** Reports what the user made of an answer, as an editor does. */
  async correct(turnId: string, text: string): Promise<void> {
    await this.observe({ kind: 'user_edit', turnId, moment: 'final', text, survival: null });
  }

  /** Reports what followed; its id and time are made here. */
  async observe(fields: Record<string, unknown>): Promise<void> {
    const common = { observationId: randomUUID(), observedAt: new Date().toISOString() };
    const client = await this.connect();
    await client.request(
      editorRequests.observe,
      editorRequests.observe.params.parse({ ...common, ...fields }),
    );
    client.close();
  }

  /** As an editor connects. The caller closes it. */
  connect(): Promise<EditorClient> {
    return connectEditorClient(this.#discovery, 'agent');
  }

  /** Its server dies at once, as by `kill -9`. */
  kill(): void {
    this.#server.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    if (this.#server.exitCode !== null || this.#server.signalCode !== null) return;
    const ended = once(this.#server, 'exit');
    this.#server.stdin?.end();
    await ended;
  }
}

/** A call as a model writes it that was taught Hermes' form, with what it says before. */
export function calling(name: string, given: Record<string, unknown>, said = ''): string {
  return `${said}\n<tool_call>\n${JSON.stringify({ name, arguments: given })}\n</tool_call>`.trimStart();
}

function stepsFile(home: string): string {
  return join(home, 'scripted-steps.json');
}

function answerFile(home: string): string {
  return join(home, 'scripted-answer.txt');
}
