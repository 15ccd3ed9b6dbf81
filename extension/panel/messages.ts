/**
 * What extension host and webview say to each other. Both ends parse it. The host sends the whole view each
 * time, and answers questions about what a view has no room for; the webview keeps only what is open or focused.
 */
import { z } from 'zod';
import { AnswerGroup, ExportFormat, Stored } from '../../agent-server/protocol/data.ts';
import { WeightVersion } from '../../agent-server/protocol/ids.ts';
import { MAX_TEXT_CHARS } from '../../agent-server/protocol/observations.ts';
import { PanelLesson, PanelSnapshot } from '../../agent-server/protocol/panel.ts';
import { AnswerPair, Comparisons, SideBySideRequest } from '../../agent-server/protocol/promotion.ts';
import { TurnDetail, TurnPage, TurnQuery } from '../../agent-server/protocol/turns.ts';

/** "Is it better for me?", while it is measured. `total` 0: not begun yet. */
export const Comparing = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('idle') }),
  z.object({ kind: z.literal('running'), done: z.number().int(), total: z.number().int() }),
  z.object({ kind: z.literal('failed'), message: z.string() }),
]);
export type Comparing = z.infer<typeof Comparing>;

/** Two versions side by side, as far as they have answered. */
export const SideBySide = z.object({
  left: WeightVersion,
  right: WeightVersion,
  state: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('running'), total: z.number().int() }),
    z.object({ kind: z.literal('ended') }),
    z.object({ kind: z.literal('failed'), message: z.string() }),
  ]),
  pairs: z.array(AnswerPair),
});
export type SideBySide = z.infer<typeof SideBySide>;

export const PanelView = z.object({
  connection: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('connecting') }),
    z.object({ kind: z.literal('connected') }),
    z.object({ kind: z.literal('retrying'), message: z.string() }),
    z.object({ kind: z.literal('offline'), message: z.string() }),
  ]),
  runtime: z.enum(['ready', 'missing', 'installing']),
  trusted: z.boolean(),
  /** Where everything is stored, for the consent view. */
  home: z.string(),
  snapshot: PanelSnapshot.nullable(),
  comparing: Comparing,
  sideBySide: SideBySide.nullable(),
});
export type PanelView = z.infer<typeof PanelView>;

/** What a page asks for when it is shown. */
export const Question = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('turns'), query: TurnQuery }),
  z.object({ kind: z.literal('turn'), turnId: z.uuid() }),
  z.object({ kind: z.literal('answerGroups') }),
  z.object({ kind: z.literal('stored') }),
  z.object({ kind: z.literal('lessons') }),
  z.object({ kind: z.literal('comparisons') }),
]);
export type Question = z.infer<typeof Question>;

export const Answer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('turns'), page: TurnPage }),
  z.object({ kind: z.literal('turn'), detail: TurnDetail }),
  z.object({ kind: z.literal('answerGroups'), answerGroups: z.array(AnswerGroup) }),
  z.object({ kind: z.literal('stored'), stored: Stored }),
  z.object({ kind: z.literal('lessons'), lessons: z.array(PanelLesson) }),
  z.object({ kind: z.literal('comparisons'), comparisons: Comparisons }),
]);
export type Answer = z.infer<typeof Answer>;

export const ToWebview = z.discriminatedUnion('type', [
  z.object({ type: z.literal('view'), view: PanelView }),
  z.object({ type: z.literal('answer'), id: z.number().int(), answer: Answer }),
  z.object({ type: z.literal('failure'), id: z.number().int(), message: z.string() }),
]);
export type ToWebview = z.infer<typeof ToWebview>;

export const FromWebview = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('setLearning'), state: z.enum(['on', 'paused', 'off']) }),
  z.object({ type: z.literal('ask'), id: z.number().int(), question: Question }),
  z.object({
    type: z.literal('label'),
    turnId: z.uuid(),
    value: z.union([z.literal(1), z.literal(0), z.literal(-1)]),
    /** How it should have been; null: not said. */
    rewrite: z.string().max(MAX_TEXT_CHARS).nullable(),
    words: z.string().max(MAX_TEXT_CHARS).nullable(),
  }),
  z.object({
    type: z.literal('updateLesson'),
    lessonId: z.number().int(),
    rewrite: z.string().optional(),
    hint: z.string().optional(),
    state: z.enum(['active', 'off']).optional(),
  }),
  z.object({ type: z.literal('deleteLesson'), lessonId: z.number().int() }),
  z.object({ type: z.literal('excludeTurn'), turnId: z.uuid(), on: z.boolean() }),
  z.object({ type: z.literal('deleteTurn'), turnId: z.uuid() }),
  z.object({ type: z.literal('serveVersion'), version: z.string() }),
  z.object({ type: z.literal('compare') }),
  z.object({ type: z.literal('stopComparing') }),
  z.object({ type: z.literal('sideBySide'), request: SideBySideRequest }),
  z.object({ type: z.literal('stopSideBySide') }),
  z.object({ type: z.literal('closeSideBySide') }),
  z.object({ type: z.literal('forget') }),
  z.object({ type: z.literal('export'), format: ExportFormat }),
  z.object({ type: z.literal('exportAdapter'), version: z.string() }),
  z.object({ type: z.literal('deleteEverything') }),
  z.object({ type: z.literal('setUpRuntime') }),
  z.object({ type: z.literal('connectWorker') }),
  z.object({ type: z.literal('useLocalWorker') }),
  z.object({ type: z.literal('retry') }),
  z.object({ type: z.literal('copyGatewayUrl') }),
  z.object({ type: z.literal('copyGatewayKey') }),
  z.object({ type: z.literal('openInEditor') }),
  z.object({ type: z.literal('showLog') }),
  z.object({ type: z.literal('manageTrust') }),
]);
export type FromWebview = z.infer<typeof FromWebview>;
