/** SGLang's parsers of tool calls over HTTP: which one the server was started with, and what it finds in a text. */
import { z } from 'zod';
import { ServerInfo } from '../protocol/engine.ts';
import { type ErrorCode, toApprenticeError } from '../protocol/errors.ts';
import type { ToolDefinition } from '../protocol/gateway.ts';
import type { FunctionCallEngine } from './engine.ts';
import { type EngineEndpoint, EngineHttp, type EngineLimits } from './http-client.ts';

/** `ToolCallItem` of SGLang 0.5.x: `parameters` is JSON text; a call without a name goes on with the one before. */
const FunctionCalls = z.object({
  normal_text: z.string(),
  calls: z.array(z.object({ name: z.string().nullable(), parameters: z.string() })),
});

const AWAY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'aborted',
  'timeout',
  'engine_unavailable',
  'worker_unavailable',
]);

/** Both calls change nothing when repeated. */
const ATTEMPTS = 3;

export class SglangParsers implements FunctionCallEngine {
  readonly #http: EngineHttp;

  constructor(endpoint: () => EngineEndpoint, limits: Partial<EngineLimits> = {}) {
    this.#http = new EngineHttp(endpoint, limits);
  }

  /** An engine (or a router before it) that refuses `/server_info` names none; one that is away is an error. */
  async toolCallParser(signal: AbortSignal): Promise<string | null> {
    try {
      const info = await this.#http.json('GET', '/server_info', undefined, ServerInfo, signal, ATTEMPTS);
      return info.tool_call_parser ?? null;
    } catch (thrown) {
      const error = toApprenticeError(thrown);
      if (AWAY.has(error.code)) throw error;
      return null;
    }
  }

  async parseFunctionCall(
    { text, tools, parser }: { text: string; tools: readonly ToolDefinition[]; parser: string },
    signal: AbortSignal,
  ): Promise<{ text: string; calls: { name: string; arguments: string }[] }> {
    const body = {
      text,
      tools: tools.map((tool) => ({ type: 'function', function: tool })),
      tool_call_parser: parser,
    };
    const found = await this.#http.json(
      'POST',
      '/parse_function_call',
      body,
      FunctionCalls,
      signal,
      ATTEMPTS,
    );
    const calls: { name: string; arguments: string }[] = [];
    for (const { name, parameters } of found.calls) {
      const last = calls.at(-1);
      if (name !== null) calls.push({ name, arguments: parameters });
      else if (last !== undefined) last.arguments += parameters;
    }
    return { text: found.normal_text, calls };
  }
}
