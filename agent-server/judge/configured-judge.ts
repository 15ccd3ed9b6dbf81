/** The judge that config.json and the environment name. */
import { basename } from 'node:path';
import { ApprenticeError } from '../protocol/errors.ts';
import type { JudgeConfig } from './config.ts';
import type { Judge } from './judge.ts';
import { type OpenAiEndpoint, OpenAiJudge, overHttp } from './openai-judge.ts';

/** Nobody to ask: verdicts come from evidence alone. */
export const NO_JUDGE: Judge = {
  name: 'none',
  present: false,
  ask: () => {
    throw new ApprenticeError(
      'judge_unavailable',
      'There is no judge to ask.',
      'See "judge" in config.json.',
    );
  },
};

/**
 * `editors`: the judge that connected editors are. `toWorker`: sends a request to the worker's second model. Throws
 * `invalid_request` when the endpoint is not whole.
 */
export function configuredJudge(
  config: JudgeConfig,
  env: NodeJS.ProcessEnv,
  editors: Judge,
  toWorker: OpenAiEndpoint['send'],
): Judge {
  switch (config.kind) {
    case 'none':
      return NO_JUDGE;
    case 'vscode':
      return editors;
    case 'openai': {
      const { url, model } = config;
      if (url === null || model === null || new URL(url).username !== '' || new URL(url).password !== '') {
        throw new ApprenticeError(
          'invalid_request',
          'config.json: a judge of kind openai needs url (without a name or password in it) and model.',
          'Add them, or set judge.kind to none.',
        );
      }
      return new OpenAiJudge({
        ...config,
        model,
        ...overHttp(url, env['APPRENTICE_JUDGE_KEY'] ?? config.key),
      });
    }
    case 'worker': {
      if (config.model === null)
        throw new ApprenticeError(
          'invalid_request',
          'config.json: a judge of kind worker needs model.',
          'Name its folder (of a remote worker, the name of its judge model), or set judge.kind to none.',
        );
      return new OpenAiJudge({
        ...config,
        model: basename(config.model),
        place: 'the worker',
        send: toWorker,
      });
    }
  }
}
