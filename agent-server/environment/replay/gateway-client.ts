/** One turn through the gateway, as any OpenAI client would ask for it: streamed, with the headers that say what it is. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { ApprenticeError, ErrorBody, ErrorCode } from '../../protocol/errors.ts';
import {
  type PlainMessage,
  SESSION_HEADER,
  SUBJECT_HEADER,
  TURN_HEADER,
  TURN_ID_HEADER,
  type TurnHeader,
  VERSION_HEADER,
} from '../../protocol/gateway.ts';
import { TurnId, WeightVersion } from '../../protocol/ids.ts';
import type { TurnSubject } from '../../protocol/observations.ts';

export interface Question {
  session: string;
  kind: TurnHeader;
  messages: PlainMessage[];
  /** Null: nothing that a later observation could be matched to. */
  subject: TurnSubject | null;
  maxNewTokens: number;
  temperature: number;
  seed: number;
}

export interface Answer {
  turnId: TurnId;
  /** The version that answered. */
  version: WeightVersion;
  text: string;
}

const ANSWER_LIMIT_MS = 240_000;

const Chunk = z.object({
  choices: z.array(
    z.object({ delta: z.object({ content: z.string().nullish() }), finish_reason: z.string().nullable() }),
  ),
});

/** Throws the gateway's own error, or `engine_unavailable` for half an answer. */
export async function askGateway(
  gateway: { port: number; token: string },
  question: Question,
  signal: AbortSignal,
): Promise<Answer> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]);
  const response = await fetch(`http://127.0.0.1:${gateway.port}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${gateway.token}`,
      'content-type': 'application/json',
      [SESSION_HEADER]: question.session,
      [TURN_HEADER]: question.kind,
      ...(question.subject === null ? {} : { [SUBJECT_HEADER]: asciiJson(question.subject) }),
    },
    body: JSON.stringify({
      model: 'apprentice',
      messages: question.messages,
      stream: true,
      max_tokens: question.maxNewTokens,
      temperature: question.temperature,
      seed: question.seed,
    }),
    signal: limited,
  });
  if (!response.ok || response.body === null) throw refused(await response.text(), response.status);
  const turnId = TurnId.parse(response.headers.get(TURN_ID_HEADER));
  const version = WeightVersion.parse(response.headers.get(VERSION_HEADER));
  return { turnId, version, text: await readAnswer(response.body) };
}

async function readAnswer(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  let text = '';
  let finished = false;
  for await (const event of events) {
    if (event.event === 'error') throw refused(event.data, 200);
    if (event.data === '[DONE]') {
      if (finished) return text;
      break;
    }
    for (const choice of Chunk.parse(JSON.parse(event.data)).choices) {
      text += choice.delta.content ?? '';
      finished ||= choice.finish_reason !== null;
    }
  }
  throw new ApprenticeError('engine_unavailable', 'The answer broke off.', 'Ask again.');
}

/** A header holds Latin-1 only; JSON can spell the rest. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function refused(text: string, status: number): ApprenticeError {
  let body: z.ZodSafeParseResult<ErrorBody>;
  try {
    body = ErrorBody.safeParse(JSON.parse(text));
  } catch {
    body = ErrorBody.safeParse(undefined);
  }
  const code = ErrorCode.safeParse(body.data?.error.code).data ?? 'internal';
  const message = body.data?.error.message ?? text.slice(0, 300);
  return new ApprenticeError(code, `The gateway answered ${status}: ${message}`, '');
}
