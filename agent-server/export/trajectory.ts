/**
 * Conversations as trajectories in the Agent Trajectory Interchange Format (ATIF), version 1.7, of the Harbor project:
 * https://www.harborframework.com/docs/agents/trajectory-format. Pure.
 *
 * A request repeats the conversation before it, so a session is a tree of turns; each path from its root to a turn
 * that nothing goes on from is one trajectory, and what an earlier one holds already is marked as copied. What followed
 * an answer beside the next message (a commit, an edit, a command) is in the observation of its step.
 */
import { nextStateText } from '../judge/next-state-text.ts';
import type { PlainMessage, ToolCall } from '../protocol/gateway.ts';
import type { NextState, Turn, TurnResponse, Verdict } from '../store/types.ts';

export const ATIF_VERSION = 'ATIF-v1.7';

/** A turn with what was made of it. */
export interface ExportedTurn {
  turn: Turn;
  response: TurnResponse;
  nextStates: readonly NextState[];
  verdict: Verdict | undefined;
}

export interface AtifToolCall {
  tool_call_id: string;
  function_name: string;
  arguments: Record<string, unknown>;
  extra?: Record<string, unknown>;
}

export interface AtifStep {
  step_id: number;
  source: 'system' | 'user' | 'agent';
  message: string;
  timestamp?: string;
  model_name?: string;
  reasoning_content?: string;
  tool_calls?: AtifToolCall[];
  observation?: { results: AtifResult[] };
  metrics?: {
    prompt_tokens: number;
    completion_tokens: number;
    completion_token_ids: number[];
    logprobs?: number[];
  };
  extra?: Record<string, unknown>;
  is_copied_context?: boolean;
}

interface AtifResult {
  source_call_id?: string;
  content: string;
  extra?: Record<string, unknown>;
}

export interface Trajectory {
  schema_version: typeof ATIF_VERSION;
  session_id: string;
  trajectory_id: string;
  agent: {
    name: string;
    version: string;
    model_name: string;
    tool_definitions?: Record<string, unknown>[];
  };
  steps: AtifStep[];
  final_metrics: {
    total_prompt_tokens: number;
    total_completion_tokens: number;
    total_steps: number;
  };
}

/** Of what the next request brings along anyway. */
const IN_MESSAGES: ReadonlySet<string> = new Set(['user_reply', 'tool_result']);

/** `turns`: those of one session, oldest first. `agent`: its name and version as far as they are known. */
export function trajectories(
  turns: readonly ExportedTurn[],
  agent: { name: string; version: string },
): Trajectory[] {
  const byId = new Map(turns.map((one) => [one.turn.turnId, one]));
  const parents = new Set(turns.map(({ turn }) => turn.parentTurnId));
  const written = new Set<string>();
  return turns
    .filter(({ turn }) => !parents.has(turn.turnId))
    .map((leaf) => {
      const path = pathTo(leaf, byId);
      const steps = path.flatMap((one, index) => stepsOf(one, path[index - 1], path[index + 1], written));
      for (const { turn } of path) written.add(turn.turnId);
      const { tools, sessionId, turnId } = leaf.turn;
      const own = path.map(
        ({ turn, response }) => [turn.promptIds.length, response.responseIds.length] as const,
      );
      return {
        schema_version: ATIF_VERSION,
        session_id: sessionId,
        trajectory_id: turnId,
        agent: {
          ...agent,
          model_name: leaf.response.version,
          ...(tools.length > 0 && {
            tool_definitions: tools.map((tool) => ({ type: 'function', function: { ...tool } })),
          }),
        },
        steps: steps.map((step, index) => ({ ...step, step_id: index + 1 })),
        final_metrics: {
          total_prompt_tokens: own.reduce((sum, [prompt]) => sum + prompt, 0),
          total_completion_tokens: own.reduce((sum, [, completion]) => sum + completion, 0),
          total_steps: steps.length,
        },
      };
    });
}

/** From the root to the leaf. A parent in another session (a fork) is none here: its messages are in the request. */
function pathTo(leaf: ExportedTurn, byId: ReadonlyMap<string, ExportedTurn>): ExportedTurn[] {
  const path = [leaf];
  for (let at = leaf.turn.parentTurnId; at !== null; ) {
    const parent = byId.get(at);
    if (parent === undefined || path.includes(parent)) break;
    path.unshift(parent);
    at = parent.turn.parentTurnId;
  }
  return path;
}

/** The messages that this turn's request added, and its answer. `step_id` is given at the end. */
function stepsOf(
  one: ExportedTurn,
  parent: ExportedTurn | undefined,
  next: ExportedTurn | undefined,
  written: ReadonlySet<string>,
): AtifStep[] {
  const copied = written.has(one.turn.turnId) ? { is_copied_context: true } : {};
  const added = parent === undefined ? one.turn.messages : addedTo(parent.turn.messages, one.turn.messages);
  const steps = asked(added, parent === undefined).map((step) => ({ ...step, ...copied }));
  return [...steps, { ...answered(one, next), ...copied }];
}

/**
 * What follows the parent's answer. A client that rewrites what stood before sends fewer messages than it had: then
 * the last exchange is all that is new.
 */
function addedTo(parent: readonly PlainMessage[], messages: readonly PlainMessage[]): PlainMessage[] {
  const rest = messages.slice(parent.length + 1);
  if (rest.length > 0) return rest;
  const answer = messages.findLastIndex(({ role }) => role === 'assistant');
  return messages.slice(answer + 1);
}

/**
 * Messages of a request as steps. `first`: the client may tell of answers that were not ours. Results of tools after
 * the first request belong to the answer before it, where `answered` puts them.
 */
function asked(messages: readonly PlainMessage[], first: boolean): AtifStep[] {
  const steps: AtifStep[] = [];
  for (const message of messages) {
    if (message.role === 'system' || message.role === 'user')
      steps.push({ step_id: 0, source: message.role, message: message.content });
    else if (message.role === 'assistant')
      steps.push({
        step_id: 0,
        source: 'agent',
        message: message.content,
        ...(message.reasoning && { reasoning_content: message.reasoning }),
        ...calls(message.toolCalls ?? []),
        is_copied_context: true,
      });
    else if (first) resultOf(message, steps);
  }
  return steps;
}

/** Into the observation of the step that called it. */
function resultOf(message: Extract<PlainMessage, { role: 'tool' }>, steps: AtifStep[]): void {
  const caller = steps.findLast(({ source }) => source === 'agent');
  if (caller === undefined) {
    steps.push({ step_id: 0, source: 'system', message: message.content });
    return;
  }
  const known = caller.tool_calls?.some(({ tool_call_id }) => tool_call_id === message.callId) ?? false;
  caller.observation ??= { results: [] };
  caller.observation.results.push({
    ...(known && { source_call_id: message.callId }),
    content: message.content,
  });
}

function answered(
  { turn, response, nextStates, verdict }: ExportedTurn,
  next: ExportedTurn | undefined,
): AtifStep {
  const answer = turn.answer ?? { content: response.text, reasoning: '', toolCalls: [] };
  const called = new Set(answer.toolCalls.map(({ id }) => id));
  const results = (next === undefined ? [] : addedTo(turn.messages, next.turn.messages)).flatMap((message) =>
    message.role === 'tool'
      ? [{ ...(called.has(message.callId) && { source_call_id: message.callId }), content: message.content }]
      : [],
  );
  const seen = nextStates
    .filter(({ kind }) => next === undefined || !IN_MESSAGES.has(kind))
    .map(({ kind, observedAtMs, observation }) => ({
      content: nextStateText(observation),
      extra: { kind, observed_at: new Date(observedAtMs).toISOString() },
    }));
  const all = [...results, ...seen];
  const finite = response.behaviourLogprobs.every(Number.isFinite);
  return {
    step_id: 0,
    source: 'agent',
    message: answer.content,
    timestamp: new Date(response.finishedAtMs).toISOString(),
    model_name: response.version,
    ...(answer.reasoning !== '' && { reasoning_content: answer.reasoning }),
    ...calls(answer.toolCalls),
    ...(all.length > 0 && { observation: { results: all } }),
    metrics: {
      prompt_tokens: turn.promptIds.length,
      completion_tokens: response.responseIds.length,
      completion_token_ids: response.responseIds,
      ...(finite && { logprobs: response.behaviourLogprobs }),
    },
    extra: {
      turn_id: turn.turnId,
      finish_reason: response.finishReason,
      ...(verdict !== undefined && {
        score: verdict.score,
        decided_by: verdict.decidedBy,
        hint: verdict.hint,
      }),
    },
  };
}

/** Arguments that are no JSON object stand beside an empty one, as they were. */
function calls(made: readonly ToolCall[]): { tool_calls?: AtifToolCall[] } {
  if (made.length === 0) return {};
  return {
    tool_calls: made.map(({ id, name, arguments: text }) => {
      const parsed = objectOf(text);
      return {
        tool_call_id: id,
        function_name: name,
        arguments: parsed ?? {},
        ...(parsed === null && { extra: { arguments: text } }),
      };
    }),
  };
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : null;
  } catch {
    return null;
  }
}
