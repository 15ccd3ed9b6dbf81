/** The user's own text of a turn as token ids: what the policy would have had to generate to be right. */
import type { ChatPrompt } from '../gateway/chat-template.ts';
import { plainTurn } from '../hindsight/plain-turn.ts';
import type { StoredOwnText } from '../store/version-types.ts';

/** Longer texts are compared by their beginnings, as they are learnt. */
const MAX_TEXT_TOKENS = 512;

/** The prompt without lessons: what the weights do by themselves. Ids of an accepted answer are the exact ones. */
export function ownTextIds(
  { turn, text, kind }: StoredOwnText,
  prompt: Pick<ChatPrompt, 'ids' | 'responseIds'>,
): { promptIds: number[]; textIds: number[] } {
  const { response } = turn;
  const exact = kind === 'accepted' ? response?.responseIds : undefined;
  const textIds = (exact ?? prompt.responseIds(text)).slice(0, MAX_TEXT_TOKENS);
  if (response === null) return { promptIds: turn.promptIds, textIds };
  return { promptIds: plainTurn({ turn, response }, prompt).turn.promptIds, textIds };
}
