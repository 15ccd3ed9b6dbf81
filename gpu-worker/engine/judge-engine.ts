/** A second engine, with a model for a judge's votes, behind the worker's port: it is asked for chats and nothing else. */
import { Hono } from 'hono';
import type { JudgeChoice } from './choice.ts';
import { type CreateOptions, createWorkerEngine } from './create.ts';
import { engineRoutes } from './routes.ts';
import type { TokenEngine, WorkerEngine } from './token-engine.ts';
import { loadTokenizer } from './tokenizer.ts';

export interface JudgeEngine {
  engine: WorkerEngine;
  /** To mount at `/judge`: over the engine as one user sees it. */
  routes(engine: TokenEngine): Hono;
}

/** Not started. Throws `setup_failed` for a folder that is no model. */
export async function createJudgeEngine(
  { model, engine: choice }: JudgeChoice,
  options: Omit<CreateOptions, 'choice' | 'model' | 'tokenizer'>,
): Promise<JudgeEngine> {
  const log = (line: string) => options.log(`judge: ${line}`);
  const tokenizer = await loadTokenizer(model);
  const { engine } = await createWorkerEngine({ ...options, log, choice, model, tokenizer });
  return {
    engine,
    routes: (seen) => judgeRoutes(engineRoutes({ engine: seen, tokenizer, log, metrics: null })),
  };
}

/** Of an engine's routes those that a judge is asked by: its weights are nobody's to change. */
export function judgeRoutes(engine: Hono): Hono {
  const routes = new Hono();
  for (const path of ['/health', '/v1/models', '/v1/chat/completions'])
    routes.all(path, (c) => {
      const url = new URL(c.req.url);
      url.pathname = path;
      return engine.fetch(new Request(url, c.req.raw));
    });
  return routes;
}
