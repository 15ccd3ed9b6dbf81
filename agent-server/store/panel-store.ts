/** The part of the store that the panel and exports read. The rest is store.ts, which this is a part of. */
import type { AnswerGroup, Stored } from '../protocol/data.ts';
import type { SessionId, TurnId } from '../protocol/ids.ts';
import type { CurvePoint, LoopName, PanelTurn, PanelVersion } from '../protocol/panel.ts';
import type { Comparison, EvaluationReport } from '../protocol/promotion.ts';
import type { TurnPage, TurnQuery } from '../protocol/turns.ts';
import type * as T from './types.ts';

export interface PanelStore {
  queueLengths(nowMs: number): T.QueueLengths;
  doneCounts(): Record<LoopName, number>;
  panelTurns(limit: number): PanelTurn[];
  /** An answered turn. */
  panelTurn(turnId: TurnId): PanelTurn | undefined;
  /** Newest first; looks at a bounded number of turns, so that a page may be short and still have a next one. */
  turnPage(query: TurnQuery): TurnPage;
  storedCounts(): Stored['counts'];
  /** In the order in which they were made; `seq` of the last one leads on. */
  sessionsAfter(seq: number, limit: number): { seq: number; sessionId: SessionId }[];
  /** Answered turns, oldest first; `after` leads on. */
  turnsOfSession(
    sessionId: SessionId,
    after: Pick<T.Turn, 'turnId' | 'createdAtMs'> | null,
    limit: number,
  ): T.Turn[];
  /** Of the newest `limit` verdicts, by week and version. */
  answerGroups(limit: number): Omit<AnswerGroup, 'likened' | 'likeness'>[];
  /** First answers among the newest `limit` verdicts whose wanted text is known. */
  wantedTexts(limit: number): T.WantedText[];
  /** The newest 20 are kept. */
  addComparison(report: EvaluationReport, atMs: number): void;
  /** Newest first. */
  comparisons(limit: number): Comparison[];
  panelVersions(limit: number): PanelVersion[];
  /** Oldest first. */
  curve(limit: number): CurvePoint[];
}
