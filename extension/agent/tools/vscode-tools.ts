/** Tools of MCP servers and of other extensions, through VS Code, which asks the user where such a tool wants that. */
import {
  CancellationTokenSource,
  type ChatRequest,
  LanguageModelTextPart,
  type LanguageModelToolInformation,
  l10n,
  lm,
} from 'vscode';
import { textOfParts } from '../../chat/tool-parts.ts';
import { plainWords } from '../shown-text.ts';
import { type AgentTool, ToolError } from '../tool.ts';

/** Each takes room in every prompt. */
const MAX_TOOLS = 24;
const MAX_DESCRIPTION_CHARS = 600;
const CALL_LIMIT_MS = 5 * 60_000;

/** Those that the user named with `#`, then those of MCP servers. `taken`: names that are ours. */
export function vscodeTools(request: ChatRequest, taken: ReadonlySet<string>): AgentTool[] {
  const named = new Set(request.toolReferences.map(({ name }) => name));
  return lm.tools
    .filter((tool) => !taken.has(tool.name) && (named.has(tool.name) || isOfMcp(tool)))
    .toSorted((a, b) => Number(named.has(b.name)) - Number(named.has(a.name)))
    .slice(0, MAX_TOOLS)
    .map((tool) => vscodeTool(tool, request));
}

function isOfMcp({ name, tags }: LanguageModelToolInformation): boolean {
  return tags.includes('mcp') || name.startsWith('mcp_');
}

function vscodeTool(
  { name, description, inputSchema }: LanguageModelToolInformation,
  { toolInvocationToken }: ChatRequest,
): AgentTool {
  return {
    name,
    description: description.slice(0, MAX_DESCRIPTION_CHARS),
    parameters: inputSchema ?? { type: 'object', properties: {} },
    async run(given, { signal, stream }) {
      if (typeof given !== 'object' || given === null) throw new ToolError('The arguments are no object.');
      stream.progress(l10n.t('Calling {0}', plainWords(name)));
      const cancellation = new CancellationTokenSource();
      const stop = (): void => cancellation.cancel();
      const timer = setTimeout(stop, CALL_LIMIT_MS);
      signal.addEventListener('abort', stop, { once: true });
      try {
        const result = await lm.invokeTool(name, { input: given, toolInvocationToken }, cancellation.token);
        return textOfParts(result.content, LanguageModelTextPart) || 'It answered with nothing.';
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        cancellation.dispose();
      }
    },
  };
}
