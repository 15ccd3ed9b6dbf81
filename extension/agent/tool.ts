/** What a tool of the agent is: a name, a description and arguments for the model, and what it does with them. */
import type { ChatResponseStream } from 'vscode';
import { z } from 'zod';
import { messageOf } from '../log.ts';

/** One call of a tool. */
export interface CallContext {
  /** The turn whose answer made the call, and the call's own id. */
  readonly turnId: string;
  readonly callId: string;
  /** Aborts when the user stops the chat. */
  readonly signal: AbortSignal;
  /** Where the user is told what happens. */
  readonly stream: ChatResponseStream;
  /** Characters of a result that the model's context has room for. */
  readonly maxChars: number;
}

export interface AgentTool {
  readonly name: string;
  readonly description: string;
  /** JSON schema of the arguments. */
  readonly parameters: object;
  /** `given`: what the model wrote, parsed as JSON and no further. Throws what went wrong; a ToolError is meant for the model. */
  run(given: unknown, call: CallContext): Promise<string>;
}

/** A call that could not be done as it was asked for: its message tells the model what to do instead. */
export class ToolError extends Error {}

/** One source for what the model is told of the arguments and for what is taken of them. */
export function defineTool<S extends z.ZodObject>(
  name: string,
  description: string,
  args: S,
  run: (args: z.output<S>, call: CallContext) => Promise<string>,
): AgentTool {
  const { $schema: _, ...parameters } = z.toJSONSchema(args, {
    io: 'input',
    override: withoutLimitsOfNumbers,
  });
  return {
    name,
    description,
    parameters,
    run: (given, call) => {
      const parsed = args.safeParse(given);
      if (!parsed.success)
        throw new ToolError(`The arguments are not right. ${z.prettifyError(parsed.error)}`);
      return run(parsed.data, call);
    },
  };
}

/** What the model gets of a call. The next state of its turn is read off it: a failure begins with `Error:`. */
export interface ToolResult {
  readonly text: string;
  /** Why the call could not be done; null: it was. */
  readonly failure: string | null;
}

export async function resultOf(
  tools: readonly AgentTool[],
  { name, arguments: given }: { name: string; arguments: string },
  call: CallContext,
): Promise<ToolResult> {
  try {
    const tool = tools.find((one) => one.name === name);
    if (tool === undefined)
      throw new ToolError(`There is no tool ${name}. There are: ${tools.map((one) => one.name).join(', ')}.`);
    return { text: await tool.run(objectOf(given), call), failure: null };
  } catch (error) {
    call.signal.throwIfAborted();
    const failure = messageOf(error);
    return { text: `Error: ${failure}`, failure };
  }
}

/** How far JavaScript counts is nothing to a model, and each tool stands in every prompt. */
function withoutLimitsOfNumbers({
  jsonSchema,
}: {
  jsonSchema: { minimum?: number; maximum?: number };
}): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}

function objectOf(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new ToolError('The arguments are no JSON.');
  }
}
