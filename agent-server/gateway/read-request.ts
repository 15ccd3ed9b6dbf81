/** What both APIs read alike: JSON, headers, the model's name. */
import { z } from 'zod';
import { ApprenticeError } from '../protocol/errors.ts';
import {
  type PlainMessage,
  SESSION_HEADER,
  SUBJECT_HEADER,
  type TakenFor,
  TURN_HEADER,
  TurnHeader,
} from '../protocol/gateway.ts';
import { BASE_VERSION, SessionId, WeightVersion } from '../protocol/ids.ts';
import { TurnSubject } from '../protocol/observations.ts';
import { clientName } from '../sessions/client-name.ts';
import { takenFor } from '../sessions/side-request.ts';
import type { TurnRequest } from './turn-runner.ts';

/** The model name that stands for whatever version serves. */
export const SERVING_MODEL = 'apprentice';
export const BASE_MODEL = 'base';

/** A request's headers by name. */
export type Header = (name: string) => string | undefined;

/** What the headers say of a turn. A client that does not say whether it is main work is judged by its shape. */
export function readHeaders(
  header: Header,
  shape: { messages: readonly PlainMessage[]; tools: readonly unknown[]; maxNewTokens: number | null },
): Pick<TurnRequest, 'session' | 'client' | 'takenFor' | 'subject'> {
  const session = header(SESSION_HEADER);
  const kind = header(TURN_HEADER);
  const subject = header(SUBJECT_HEADER);
  const told: TakenFor | undefined = kind === undefined ? undefined : parse(TurnHeader, kind, TURN_HEADER);
  return {
    session:
      session === undefined
        ? { origin: 'prefix' }
        : { origin: 'header', id: parse(SessionId, session, SESSION_HEADER) },
    client: clientName(header('user-agent'), shape.messages),
    takenFor: told ?? takenFor(shape.messages, shape.tools, shape.maxNewTokens),
    subject:
      subject === undefined
        ? { kind: 'chat' }
        : parse(TurnSubject, json(subject, SUBJECT_HEADER), SUBJECT_HEADER),
  };
}

/** Throws `model_not_found`. `known` says whether a version can answer. */
export function readModel(
  model: string,
  known: (version: WeightVersion) => boolean,
): WeightVersion | 'serving' {
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

export function json(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApprenticeError('invalid_json', `${what} is not JSON.`, 'Send a JSON object.', {
      cause: error,
    });
  }
}

/** Throws `invalid_request` naming each bad or unknown field. */
export function parse<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ApprenticeError(
    'invalid_request',
    `${what}: ${z.prettifyError(parsed.error)}`,
    'Correct the named fields.',
  );
}
