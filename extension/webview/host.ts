/**
 * The webview's line to the extension host: typed wishes out, parsed views in, and answers to questions. What is to
 * survive a hide (a hidden webview is taken down) is kept in the webview's own state.
 */
import { z } from 'zod';
import { TurnFilter } from '../../agent-server/protocol/turns.ts';
import { type Answer, FromWebview, type PanelView, type Question, ToWebview } from '../panel/messages.ts';
import { t } from './l10n.ts';

interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

const vscode = acquireVsCodeApi();

/** The host gives up on the agent-server before that; then it says why. */
const ANSWER_LIMIT_MS = 60_000;

export const PAGES = ['now', 'curve', 'turns', 'lessons', 'versions', 'data'] as const;

const Kept = z.object({
  page: z.enum(PAGES).default('now'),
  filter: TurnFilter.prefault({}),
  /** The turn that is open on its page. */
  turnId: z.uuid().nullable().default(null),
});
export type Kept = z.infer<typeof Kept>;
export type Page = Kept['page'];

/** What was open when the page was last shown; the beginning where that does not parse. */
export function kept(): Kept {
  return Kept.safeParse(vscode.getState() ?? {}).data ?? Kept.parse({});
}

export function keep(change: Partial<Kept>): void {
  vscode.setState({ ...kept(), ...change });
}

export function send(message: FromWebview): void {
  vscode.postMessage(FromWebview.parse(message));
}

interface Waiting {
  answered(answer: Answer): void;
  failed(error: Error): void;
}
const waiting = new Map<number, Waiting>();
let asked = 0;

/** Throws an Error in words for a person. A caller that is gone ignores the answer. */
export function ask<K extends Question['kind']>(
  question: Extract<Question, { kind: K }>,
): Promise<Extract<Answer, { kind: K }>> {
  const id = asked++;
  const { promise, resolve, reject } = Promise.withResolvers<Extract<Answer, { kind: K }>>();
  const limit = window.setTimeout(
    () => reject(new Error(t('The agent-server did not answer. Try again.'))),
    ANSWER_LIMIT_MS,
  );
  const answers = (answer: Answer): answer is Extract<Answer, { kind: K }> => answer.kind === question.kind;
  waiting.set(id, {
    answered: (answer) => {
      if (answers(answer)) resolve(answer);
      else reject(new Error('The host answered another question.'));
    },
    failed: reject,
  });
  send({ type: 'ask', id, question });
  return promise.finally(() => {
    window.clearTimeout(limit);
    waiting.delete(id);
  });
}

/** Calls `draw` with every view. What does not parse is reported, never drawn. */
export function onView(draw: (view: PanelView) => void): void {
  window.addEventListener('message', (event: MessageEvent<unknown>) => {
    const message = ToWebview.safeParse(event.data);
    if (!message.success) console.error('The host sent what does not parse.', message.error.message);
    else if (message.data.type === 'view') draw(message.data.view);
    else if (message.data.type === 'answer') waiting.get(message.data.id)?.answered(message.data.answer);
    else waiting.get(message.data.id)?.failed(new Error(message.data.message));
  });
}
