/**
 * Requests that agents make for themselves, told by their shape: titles, summaries, topic checks, probes, small
 * helpers. They are answered like any other and never trained on. Pure. A client that knows better says so in a header.
 *
 * The phrases are how the agents named beside them begin to ask; a phrase is looked for where an agent puts its
 * instruction, not in what a user quotes.
 */
import type { PlainMessage, TakenFor } from '../protocol/gateway.ts';

interface Shape {
  takenFor: Exclude<TakenFor, 'main' | 'side'>;
  phrase: string;
}

/** Looked for at the beginning of a system message and of the last user message. Lower case, one space between words. */
const SHAPES: readonly Shape[] = [
  // OpenCode, Crush
  { takenFor: 'title', phrase: 'you are a title generator' },
  { takenFor: 'title', phrase: 'generate a title for this conversation' },
  { takenFor: 'title', phrase: 'you will generate a short title based on the first message' },
  // Claude Code
  { takenFor: 'title', phrase: 'please write a 5-10 word title' },
  { takenFor: 'title', phrase: 'summarize this coding conversation in under 50 characters' },
  { takenFor: 'title', phrase: 'generate a concise, sentence-case title' },
  // Continue
  { takenFor: 'title', phrase: 'please reply with a title for the chat' },
  // OpenHands
  { takenFor: 'title', phrase: 'you are a helpful assistant that generates concise, descriptive titles' },
  // Copilot Chat, Zed, Goose, Open WebUI, LibreChat
  { takenFor: 'title', phrase: 'you are an expert in crafting pithy titles' },
  { takenFor: 'title', phrase: 'you are an expert in crafting ultra-compact titles' },
  { takenFor: 'title', phrase: 'generate a concise 3-7 word title' },
  { takenFor: 'title', phrase: 'generate a concise, 3-5 word title' },
  { takenFor: 'title', phrase: 'provide a concise, 5-word-or-less title' },
  { takenFor: 'title', phrase: 'provide a concise description of this session in 4 words or less' },

  // Claude Code, Roo Code
  { takenFor: 'summary', phrase: 'your task is to create a detailed summary of' },
  { takenFor: 'summary', phrase: 'you are a helpful ai assistant tasked with summarizing conversations' },
  // Cline
  { takenFor: 'summary', phrase: 'the current conversation is rapidly running out of context' },
  // OpenCode
  { takenFor: 'summary', phrase: 'provide a detailed prompt for continuing our conversation' },
  // Aider
  { takenFor: 'summary', phrase: 'briefly summarize this partial conversation' },
  // Codex CLI
  { takenFor: 'summary', phrase: 'you are performing a context checkpoint compaction' },
  { takenFor: 'summary', phrase: 'please stop coding and instead write a short memento' },
  // OpenHands
  { takenFor: 'summary', phrase: 'you are maintaining a context-aware state summary' },
  // Gemini CLI, Qwen Code
  { takenFor: 'summary', phrase: 'you are the component that summarizes internal chat history' },

  // Claude Code
  { takenFor: 'topic', phrase: 'analyze if this message indicates a new conversation topic' },
  // Gemini CLI, Qwen Code
  {
    takenFor: 'topic',
    phrase: 'analyze *only* the content and structure of your immediately preceding response',
  },

  // Claude Code: which prefix a command has, which files it touches
  { takenFor: 'helper', phrase: 'your task is to process bash commands that an ai coding agent' },
  { takenFor: 'helper', phrase: 'extract any file paths that this command reads or modifies' },
  // Open WebUI
  { takenFor: 'helper', phrase: 'generate 1-3 broad tags' },
  { takenFor: 'helper', phrase: 'suggest 3-5 relevant follow-up questions' },
];

/** How much of a message counts as its beginning: instructions stand after a tag or a line at most. */
const BEGINNING_CHARS = 400;

/** What clients send to see whether anybody answers. */
const PROBES: ReadonlySet<string> = new Set(['hi', 'hello', 'test', 'ping', 'quota', 'count', 'foo', '']);
/** An answer of this length is for no reader. */
const PROBE_TOKENS = 16;

/** `main` when the request looks like the user's own work. `maxNewTokens` null: the client sets no limit. */
export function takenFor(
  messages: readonly PlainMessage[],
  tools: readonly unknown[],
  maxNewTokens: number | null,
): Exclude<TakenFor, 'side'> {
  if (maxNewTokens === 1) return 'probe';
  const dialogue = messages.filter((message) => message.role !== 'system');
  const last = dialogue.at(-1);
  const word =
    last?.content
      .trim()
      .toLowerCase()
      .replace(/[!?.]+$/, '') ?? '';
  const bare = dialogue.length <= 1 && tools.length === 0 && PROBES.has(word);
  // A person may greet too, but not with a limit that cuts the answer off, and agents have a system prompt.
  if (bare && (messages.length === 1 || (maxNewTokens ?? Number.POSITIVE_INFINITY) <= PROBE_TOKENS))
    return 'probe';
  const instructions = messages.filter((message) => message.role === 'system' || message === last);
  const beginnings = instructions.map((message) => beginning(message.content));
  const shape = SHAPES.find(({ phrase }) => beginnings.some((text) => text.includes(phrase)));
  return shape?.takenFor ?? 'main';
}

function beginning(text: string): string {
  return text
    .trimStart()
    .slice(0, BEGINNING_CHARS)
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
    .replace('*briefly*', 'briefly');
}
