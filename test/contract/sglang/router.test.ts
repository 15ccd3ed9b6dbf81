/**
 * Several engines behind the real sglang-router: two embedded ones with the real small model, and two servers of SGLang
 * that the worker starts (stand-ins). Requests run while versions change and an engine is killed.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { ApprenticeError } from '../../../agent-server/protocol/errors.ts';
import type { RequestEvent, Submit } from '../../../gpu-worker/engine/messages.ts';
import { SglangEngine } from '../../../gpu-worker/engine/sglang/sglang-engine.ts';
import { modelSizes, writeAdapter } from '../../fixtures/adapter.ts';
import { routerPython } from '../../fixtures/python-packages.ts';
import { type RealEngine, startRealEngine } from '../../fixtures/real-engine.ts';
import { runtime } from '../../fixtures/runtime.ts';
import { ONE_SGLANG, type StartedEngine, startChosenEngine } from '../../fixtures/sglang-engine.ts';
import { standinEnv, writeFakeModel } from '../../fixtures/sglang-standin.ts';
import { EngineClient } from '../engine-client.ts';

const never = new AbortController().signal;
const router = await routerPython();
const skip = router.kind === 'missing' && `sglang-router ${router.why}`;
const python = router.kind === 'here' ? router.path : null;

const throughRouter = (engine: SglangEngine): boolean => engine.fleet.router()?.inUse ?? false;

/** Until it holds, at most as long as a suite may take. */
async function until(holds: () => boolean | Promise<boolean>, what: string, limitMs = 60_000): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while (!(await holds())) {
    assert.ok(performance.now() < deadlineMs, `${what} within ${limitMs / 1000} s`);
    await delay(25);
  }
}

/** Asks one thing after another until it is ended; every answer is whole and of the version that it was asked of. */
class Asking {
  answered = 0;
  /** What was not to be, as soon as it is. */
  failure: unknown = null;
  /** Codes of those that failed once they had begun; nothing else fails. */
  readonly cut: string[] = [];
  readonly #engine: SglangEngine;
  readonly #versions: () => string | null;
  readonly #done: Promise<void>;
  #ended = false;

  constructor(engine: SglangEngine, tokens: number, seed: number, versions: () => string | null) {
    this.#engine = engine;
    this.#versions = versions;
    this.#done = this.#ask(tokens, seed);
    this.#done.catch((error) => {
      this.failure = error;
    });
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#done;
  }

  async #ask(tokens: number, seed: number): Promise<void> {
    for (let turn = 0; !this.#ended; turn++) {
      const rid = `asking-${seed}-${turn}`;
      const submit: Submit = {
        ...{
          rid,
          scope: '',
          // New from the first token on: the router sends what it knows to whoever answered it before.
          input_ids: [20 + 3 * (turn % 2_000) + seed, 7, 9, 11],
          adapter: this.#versions(),
          max_new_tokens: tokens,
        },
        ...{ temperature: 0, top_p: 1, top_k: -1, stop_token_ids: [], seed: null },
        ...{ return_logprob: false, logprob_start_len: -1, top_logprobs_num: 0 },
      };
      const events: RequestEvent[] = [];
      try {
        for await (const event of this.#engine.generate(submit, never)) events.push(event);
      } catch (thrown) {
        assert.ok(thrown instanceof ApprenticeError);
        assert.ok(events.length > 0, `refused before it began: ${thrown.message}`);
        assert.equal(thrown.code, 'engine_unavailable', thrown.message);
        this.cut.push(thrown.code);
        continue;
      }
      const count = events.reduce((sum, event) => sum + (event.type === 'tokens' ? event.ids.length : 0), 0);
      assert.equal(count, tokens);
      this.answered += 1;
      await setImmediate();
    }
  }
}

/** Every one of them has answered `more` times again. */
async function goneOn(askings: readonly Asking[], more: number): Promise<void> {
  const before = askings.map(({ answered }) => answered);
  const onwards = (): boolean => {
    for (const { failure } of askings) if (failure !== null) throw failure;
    return askings.every(({ answered }, index) => answered >= (before[index] ?? 0) + more);
  };
  await until(onwards, 'they go on');
}

describe('sglang-router before two embedded engines', { skip, timeout: 280_000 }, () => {
  let engines: RealEngine[];
  let folder: string;
  let started: StartedEngine;
  const modelsOf = async ({ url }: RealEngine): Promise<string[]> => {
    const list: unknown = await (await new EngineClient(url).get('/v1/models')).json();
    return Object(list).data.map(({ id }: { id: string }) => id);
  };
  const requestsOf = async ({ url }: RealEngine): Promise<number> =>
    Number(
      /num_requests_total\{[^}]*\} (\d+)/.exec(
        await (await new EngineClient(url).get('/metrics')).text(),
      )?.[1],
    );

  before(async () => {
    engines = [await startRealEngine(4), await startRealEngine(4)];
    folder = await mkdtemp(join(tmpdir(), 'apprentice-router-'));
    const sizes = await modelSizes(runtime().model);
    for (const version of [1, 2]) await writeAdapter(join(folder, `v${version}`), sizes, version, 'none');
    const urls = engines.map(({ url }) => url);
    const choice = {
      kind: 'url',
      urls,
      key: null,
      adminKey: null,
      routerPython: python,
      maxAdapters: 8,
    } as const;
    started = await startChosenEngine(choice, { model: runtime().model, env: {}, log: () => {} });
  });
  after(async () => {
    await started?.close();
    for (const engine of engines ?? []) await engine.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  test('SGLANG-14: a version serves when both engines have it, requests run through the change and through a kill, and who comes back has it first', async () => {
    const { engine } = started;
    assert.ok(engine instanceof SglangEngine);
    const [first, second] = engines;
    assert.ok(first && second);
    await until(() => engine.state().detail === null && throughRouter(engine), 'both engines and the router');

    let version: string | null = null;
    await engine.loadAdapter('policy@v1', join(folder, 'v1'), never);
    for (const one of engines) assert.ok((await modelsOf(one)).includes('policy@v1'), 'each engine has it');
    version = 'policy@v1';
    const askings = [0, 1, 2].map((seed) => new Asking(engine, 6, seed, () => version));
    await goneOn(askings, 3);

    await engine.loadAdapter('policy@v2', join(folder, 'v2'), never);
    version = 'policy@v2';
    await engine.unloadAdapter('policy@v1', never);
    for (const one of engines) assert.deepEqual((await modelsOf(one)).slice(1), ['policy@v2']);
    await goneOn(askings, 3);
    assert.deepEqual(
      askings.flatMap(({ cut }) => cut),
      [],
      'a swap cuts nothing',
    );
    for (const one of engines) assert.ok((await requestsOf(one)) > 0, 'both are asked');

    const { epoch } = engine;
    process.kill(first.engine.pid() ?? 0, 'SIGKILL');
    await goneOn(askings, 3);
    await until(() => first.engine.state().state === 'ready', 'the one that was killed is back');
    await until(() => engine.state().detail === null, 'and has joined');
    assert.ok((await modelsOf(first)).includes('policy@v2'), 'with the version that serves');
    assert.equal(engine.epoch, epoch, 'nothing was lost: the other one had it all the time');
    const asked = await requestsOf(first);
    await until(async () => (await requestsOf(first)) > asked, 'it is asked again');
    await Promise.all(askings.map((asking) => asking.end()));
  });
});

describe('sglang-router before two servers that the worker starts', { skip, timeout: 120_000 }, () => {
  let folder: string;
  let started: StartedEngine;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'apprentice-router-'));
    await writeFakeModel(join(folder, 'fake-model'));
    for (const version of ['v1', 'v2']) {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, 'adapter_config.json'), '{}');
      await writeFile(join(folder, version, 'adapter_model.safetensors'), '');
    }
    const choice = { ...ONE_SGLANG, count: 2, routerPython: python };
    const options = { model: join(folder, 'fake-model'), env: standinEnv('fake', 5), log: () => {} };
    started = await startChosenEngine(choice, options);
  });
  after(async () => {
    await started?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  test('SGLANG-15: one that dies cuts only what it was saying; versions change while it is away; it is started, given them, and asked again', async () => {
    const { engine } = started;
    assert.ok(engine instanceof SglangEngine);
    await until(() => engine.state().detail === null && throughRouter(engine), 'both servers and the router');
    let version: string | null = 'policy@v1';
    await engine.loadAdapter('policy@v1', join(folder, 'v1'), never);
    const askings = [0, 1, 2, 3].map((seed) => new Asking(engine, 20, seed, () => version));
    await goneOn(askings, 3);
    const { epoch } = engine;
    process.kill(engine.fleet.pids()[0] ?? 0, 'SIGKILL');
    await until(() => engine.state().detail !== null, 'it is missed');
    assert.match(engine.state().detail ?? '', /^1 of 2 engines answer/);
    await engine.loadAdapter('policy@v2', join(folder, 'v2'), never);
    version = 'policy@v2';
    await goneOn(askings, 3);
    await until(() => engine.state().detail === null, 'it is back');
    await goneOn(askings, 3);
    await Promise.all(askings.map((asking) => asking.end()));
    assert.ok(
      askings.every(({ cut }) => cut.length <= 1),
      'what it was saying when it was killed',
    );
    assert.equal(engine.epoch, epoch);
  });

  test('SGLANG-15: without the router requests go straight to the servers, and through it again once it is back', async () => {
    const { engine } = started;
    assert.ok(engine instanceof SglangEngine);
    const asking = new Asking(engine, 5, 9, () => null);
    await goneOn([asking], 2);
    process.kill(engine.fleet.router()?.pid ?? 0, 'SIGKILL');
    await until(() => !throughRouter(engine), 'it is missed');
    await goneOn([asking], 2);
    await until(() => throughRouter(engine), 'it is back');
    await goneOn([asking], 2);
    await asking.end();
    assert.ok(asking.cut.length <= 1);
  });
});
