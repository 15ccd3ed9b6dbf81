/** Reads `/v1/chat/completions`: body, headers and model name to a TurnRequest. Everything is checked here, once. */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import {
  ChatCompletionRequest,
  SESSION_HEADER,
  SUBJECT_HEADER,
  TURN_HEADER,
  TurnKind,
} from '../protocol/gateway.ts';
import { BASE_VERSION, SessionId, WeightVersion } from '../protocol/ids.ts';
import { TurnSubject } from '../protocol/observations.ts';
import { plainMessages } from './chat-template.ts';
import type { TurnRequest } from './turn-runner.ts';

/** The model name that stands for whatever version serves. */
export const SERVING_MODEL = 'apprentice';
export const BASE_MODEL = 'base';

/** OpenAI's own default: what a client that says nothing expects. */
const DEFAULT_TEMPERATURE = 1;

export interface ChatRequest {
  turn: TurnRequest;
  stream: boolean;
  includeUsage: boolean;
  logprobs: boolean;
}

/**
 * Throws `invalid_json`, `invalid_request` naming each bad or unknown field, and `model_not_found`. `known` says
 * whether a version can answer.
 */
export function readChatRequest(
  text: string,
  header: (name: string) => string | undefined,
  known: (version: WeightVersion) => boolean,
): ChatRequest {
  const body = parse(ChatCompletionRequest, json(text, 'The body'), 'The request');
  const messages = plainMessages(body.messages);
  const logprobs = body.logprobs ?? false;
  if (!logprobs && body.top_logprobs)
    throw new ApprenticeError('invalid_request', 'top_logprobs needs logprobs.', 'Set logprobs to true.');
  const session = header(SESSION_HEADER);
  const subject = header(SUBJECT_HEADER);
  return {
    turn: {
      session:
        session === undefined
          ? { origin: 'prefix' }
          : { origin: 'header', id: parse(SessionId, session, SESSION_HEADER) },
      client: header('user-agent')?.slice(0, 200) ?? null,
      takenFor: parse(TurnKind, header(TURN_HEADER) ?? 'main', TURN_HEADER),
      messages,
      tools: [],
      subject:
        subject === undefined
          ? { kind: 'chat' }
          : parse(TurnSubject, json(subject, SUBJECT_HEADER), SUBJECT_HEADER),
      version: readModel(body.model, known),
      sampling: {
        maxNewTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
        temperature: body.temperature ?? DEFAULT_TEMPERATURE,
        topP: body.top_p ?? 1,
        stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
        seed: body.seed ?? null,
        topLogprobs: body.top_logprobs ?? 0,
      },
    },
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    logprobs,
  };
}

function readModel(model: string, known: (version: WeightVersion) => boolean): WeightVersion | 'serving' {
  if (model === SERVING_MODEL) return 'serving';
  if (model === BASE_MODEL) return BASE_VERSION;
  const version = WeightVersion.safeParse(model);
  if (version.success && known(version.data)) return version.data;
  throw new ApprenticeError(
    'model_not_found',
    `There is no model "${model}".`,
    `Use "${SERVING_MODEL}", or one of GET /v1/models.`,
  );
}

function json(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApprenticeError('invalid_json', `${what} is not JSON.`, 'Send a JSON object.', {
      cause: error,
    });
  }
}

function parse<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ApprenticeError(
    'invalid_request',
    `${what}: ${z.prettifyError(parsed.error)}`,
    'Correct the named fields.',
  );
}
