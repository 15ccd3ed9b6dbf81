/** What editors may ask, answered over the store and the parts that run. Knows no socket. */

import type { DataExports } from '../export/data-exports.ts';
import { MAX_CANDIDATES, PROPOSAL_LIFETIME_MS } from '../loops/settlement.ts';
import type { BetterForMe } from '../promotion/better-for-me.ts';
import type { SideBySide } from '../promotion/side-by-side.ts';
import type { VersionKeeper } from '../promotion/version-keeper.ts';
import type { AnswerGroup } from '../protocol/data.ts';
import type {
  EditProposal,
  LearningState,
  OpenProposal,
  Proposal,
  SelectedCode,
  StagedChange,
} from '../protocol/editor.ts';
import { ApprenticeError } from '../protocol/errors.ts';
import type { LessonId, TurnId } from '../protocol/ids.ts';
import type { Observation } from '../protocol/observations.ts';
import type { PanelLesson, PanelSnapshot } from '../protocol/panel.ts';
import type { TurnDetail, TurnPage, TurnQuery } from '../protocol/turns.ts';
import type { LessonChange } from '../store/lesson-types.ts';
import type { Store } from '../store/store.ts';
import { createIntake } from './intake.ts';
import { panelLesson, panelLessons } from './lessons.ts';
import { answerGroupsOver } from './likeness.ts';
import { listed, type TokenTexts, turnDetail } from './turn-detail.ts';

/** A list longer than this is no list for a person. */
const MAX_LESSONS_LISTED = 500;

/** Makes the turn that proposes a message; `onText` gets each new piece. Throws `aborted` after `signal`. */
export type WriteCommitMessage = (
  change: StagedChange,
  onText: (text: string) => void,
  signal: AbortSignal,
) => Promise<Proposal>;

/** The same for an inline edit; `answer_unusable` when its answer is none. */
export type EditSelection = (
  selection: SelectedCode,
  onText: (text: string) => void,
  signal: AbortSignal,
) => Promise<EditProposal>;

export interface EditorService {
  /** Durable when it resolves. Throws `consent_required` unless learning is on, `queue_full`, `disk_full`: then nothing is kept. */
  observe(observation: Observation): Promise<{ duplicate: boolean }>;
  writeCommitMessage: WriteCommitMessage;
  editSelection: EditSelection;
  openProposals(repositoryRoot: string): OpenProposal[];
  panel(): PanelSnapshot;
  turns(query: TurnQuery): TurnPage;
  /** Throws `not_found`. */
  turn(turnId: TurnId, signal: AbortSignal): Promise<TurnDetail>;
  answerGroups(signal: AbortSignal): Promise<AnswerGroup[]>;
  /** What is stored, and exports of it. */
  data: DataExports;
  setLearning(state: Exclude<LearningState, 'unasked'>): { state: LearningState };
  learning(): { state: LearningState };
  lessons(): PanelLesson[];
  updateLesson(lessonId: LessonId, change: LessonChange): PanelLesson;
  deleteLesson(lessonId: LessonId): null;
  /** Going back, leaving out, deleting and forgetting. */
  versions: VersionKeeper;
  comparison: BetterForMe;
  sideBySide: SideBySide;
  /** How other agents reach the same policy. */
  gateway: { url: string; key: string };
  stop(): void;
}

export interface EditorServiceOptions {
  store: Store;
  writeCommitMessage: WriteCommitMessage;
  editSelection: EditSelection;
  panel(): PanelSnapshot;
  /** The model's tokenizer, or null while there is none. */
  tokenTexts(signal: AbortSignal): Promise<TokenTexts>;
  data: DataExports;
  versions: VersionKeeper;
  comparison: BetterForMe;
  sideBySide: SideBySide;
  gateway: EditorService['gateway'];
  /** Begins the end of the agent-server; returns at once. */
  stop(): void;
  now?: () => number;
}

export function createEditorService(options: EditorServiceOptions): EditorService {
  const { store, now = Date.now } = options;
  const intake = createIntake(store);
  return {
    observe: async (observation) => {
      if (store.learning() !== 'on') {
        throw new ApprenticeError(
          'consent_required',
          'Learning is not on, so the observation was not kept.',
          'Turn learning on in the Apprentice view.',
        );
      }
      return { duplicate: (await intake(observation, now())) === 'duplicate' };
    },
    writeCommitMessage: options.writeCommitMessage,
    editSelection: options.editSelection,
    openProposals: (repositoryRoot) =>
      store
        .proposals(repositoryRoot, now() - PROPOSAL_LIFETIME_MS, MAX_CANDIDATES)
        .flatMap((turn): OpenProposal[] => {
          if (turn.closed !== null || turn.response === null || turn.kind === 'side' || !turn.learnable)
            return [];
          if (store.nextStates(turn.turnId).some(({ kind }) => kind === 'commit')) return [];
          return [
            {
              turnId: turn.turnId,
              createdAt: new Date(turn.createdAtMs).toISOString(),
              text: turn.response.text,
              subject: turn.subject,
            },
          ];
        }),
    panel: options.panel,
    turns: (query) => listed(store.turnPage(query)),
    turn: async (turnId, signal) => turnDetail(store, turnId, await options.tokenTexts(signal)),
    answerGroups: answerGroupsOver(store),
    data: options.data,
    setLearning: (state) => {
      store.setLearning(state);
      return { state };
    },
    learning: () => ({ state: store.learning() }),
    lessons: () => panelLessons(store, MAX_LESSONS_LISTED),
    updateLesson: (lessonId, change) => panelLesson(store.updateLesson(lessonId, change)),
    deleteLesson: (lessonId) => {
      store.deleteLesson(lessonId);
      return null;
    },
    versions: options.versions,
    comparison: options.comparison,
    sideBySide: options.sideBySide,
    gateway: options.gateway,
    stop: options.stop,
  };
}
