/**
 * The commands of messages.ts over llama.cpp: requests into the scheduler, adapters in and out. Between two passes it
 * takes every command that has come; files are read beside the passes, so that streams do not wait for a disk.
 */
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { Command, EngineEvent } from '../messages.ts';
import type { Addon, AddonModel } from './addon.ts';
import { convertAdapter } from './convert-adapter.ts';
import type { ModelShape } from './model-shape.ts';
import { type Adapter, Request } from './request.ts';
import type { Scheduler } from './scheduler.ts';

const SEEDS = 2 ** 32;

export interface LlamaCppEngineOptions {
  addon: Addon;
  model: AddonModel;
  shape: ModelShape;
  scheduler: Scheduler;
  send(event: EngineEvent): void;
}

type Load = Extract<Command, { type: 'load_adapter' }>;

export class LlamaCppEngine {
  readonly #options: LlamaCppEngineOptions;
  readonly #adapters = new Map<string, Adapter>();
  /** Adapters that no new request may take, with the ids that wait for them to be gone. */
  readonly #unloading: { adapter: Adapter; id: string }[] = [];
  readonly #inbox: (() => void | Promise<void>)[] = [];
  #wake: () => void = () => {};

  constructor(options: LlamaCppEngineOptions) {
    this.#options = options;
  }

  /** Takes a command; what it does is done by `run`. */
  receive(command: Command): void {
    this.#put(() => this.#execute(command));
  }

  /** Until the signal, which a pass under way ends before. Rejects when one fails: nothing that is held can be trusted. */
  async run(signal: AbortSignal): Promise<void> {
    const { scheduler } = this.#options;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      if (this.#inbox.length === 0 && !scheduler.hasWork)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      for (let work = this.#inbox.shift(); work; work = this.#inbox.shift()) await work();
      if (scheduler.hasWork) await scheduler.step();
      await this.#settle();
    }
  }

  #put(work: () => void | Promise<void>): void {
    this.#inbox.push(work);
    this.#wake();
  }

  #execute(command: Command): void {
    const { scheduler } = this.#options;
    switch (command.type) {
      case 'submit':
        this.#submit(command);
        break;
      case 'abort':
        scheduler.abort(command.rid);
        break;
      case 'load_adapter':
        void this.#read(command);
        break;
      case 'unload_adapter':
        this.#unload(command.id, command.name);
        break;
      case 'forget':
        scheduler.forgetScope(command.scope);
        this.#reply(command.id);
        break;
      case 'pause':
      case 'continue':
        scheduler.paused = command.type === 'pause';
        this.#reply(command.id);
        break;
      case 'update_weights': {
        const why = 'The llama.cpp engine takes other weights at its start alone.';
        this.#refuse(command.id, 'invalid_request', why);
      }
    }
  }

  #submit(command: Extract<Command, { type: 'submit' }>): void {
    const adapter = command.adapter === null ? null : this.#adapters.get(command.adapter);
    if (adapter !== undefined) {
      this.#options.scheduler.submit(new Request(command, adapter, () => randomInt(SEEDS)));
      return;
    }
    this.#options.send({
      type: 'finish',
      rid: command.rid,
      reason: 'error',
      matched: null,
      code: 'adapter_not_loaded',
      message: `Adapter ${command.adapter} is not loaded.`,
    });
  }

  /** Beside the passes. */
  async #read({ id, name, folder }: Load): Promise<void> {
    let scratch: string | null = null;
    try {
      scratch = await mkdtemp(join(tmpdir(), 'apprentice-lora-'));
      const file = join(scratch, 'adapter.gguf');
      await convertAdapter(folder, this.#options.shape, file);
      await this.#betweenPasses(() => this.#add(id, name, file));
    } catch (thrown) {
      const { code, message } = toApprenticeError(thrown, 'adapter_invalid');
      this.#refuse(id, code === 'adapter_invalid' ? code : 'internal', message);
    } finally {
      if (scratch !== null) await rm(scratch, { recursive: true, force: true });
    }
  }

  /** llama.cpp has read the file whole when this resolves. */
  async #add(id: string, name: string, file: string): Promise<void> {
    const { addon, model } = this.#options;
    if (this.#adapters.has(name)) {
      this.#refuse(id, 'adapter_invalid', `an adapter ${name} is loaded already; unload it first.`);
      return;
    }
    const lora = new addon.AddonModelLora(model, file);
    await model.loadLora(lora);
    this.#adapters.set(name, { name, lora });
    this.#reply(id);
  }

  #betweenPasses(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => this.#put(() => work().then(resolve, reject)));
  }

  #unload(id: string, name: string): void {
    const adapter = this.#adapters.get(name);
    if (adapter === undefined) {
      this.#refuse(id, 'adapter_not_loaded', `Adapter ${name} is not loaded.`);
      return;
    }
    this.#adapters.delete(name);
    this.#unloading.push({ adapter, id });
  }

  async #settle(): Promise<void> {
    const { scheduler } = this.#options;
    for (const item of [...this.#unloading]) {
      if (scheduler.uses(item.adapter)) continue;
      this.#unloading.splice(this.#unloading.indexOf(item), 1);
      scheduler.forget(item.adapter);
      await item.adapter.lora.dispose();
      this.#reply(item.id);
    }
  }

  #reply(id: string): void {
    this.#options.send({ type: 'reply', id, ok: true, code: null, error: null });
  }

  #refuse(
    id: string,
    code: NonNullable<Extract<EngineEvent, { type: 'reply' }>['code']>,
    error: string,
  ): void {
    this.#options.send({ type: 'reply', id, ok: false, code, error });
  }
}
