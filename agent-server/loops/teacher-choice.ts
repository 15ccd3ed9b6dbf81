/**
 * Which hint teaches a sample, if any: the teacher reads the student's answer under each, the one that agrees with
 * the student most is tried first (learning/hybrid.ts), and must answer well itself (hindsight/teacher-check.ts).
 * What was found is kept with the sample: replays do not ask again.
 */
import type { Engine, Scored } from '../engine/engine.ts';
import type { ChatPrompt } from '../gateway/chat-template.ts';
import { teachingHints } from '../hindsight/hints.ts';
import { checkTeacher, type Finding } from '../hindsight/teacher-check.ts';
import { teacherMessages } from '../hindsight/teacher-prompt.ts';
import { askWhichIsBetter } from '../judge/teacher-vote.ts';
import type { VotingParts } from '../judge/votes.ts';
import type { LearningConfig } from '../learning/config.ts';
import { hintOrder, overlap } from '../learning/hybrid.ts';
import { listLength } from '../learning/sample-rows.ts';
import { BASE_VERSION, loraPath, type WeightVersion } from '../protocol/ids.ts';
import type { Store } from '../store/store.ts';
import type { HintCandidate, Sample, TeacherCheck, Turn, TurnResponse } from '../store/types.ts';

export interface TeacherChoiceParts {
  store: Pick<Store, 'hintCandidates' | 'teacherCheck' | 'recordTeacherCheck'>;
  engine: Pick<Engine, 'score' | 'generate'>;
  config: Pick<LearningConfig, 'topK' | 'teacher' | 'teacherCheck'>;
  /** Asked where nothing in the answers tells which is better; absent: nobody is. */
  judge?: VotingParts;
}

/** A sample with what it was made of. */
export interface AnsweredSample {
  sample: Sample;
  turn: Turn;
  response: TurnResponse;
}

/** The bound on a teacher's own answer: some 3 s of the default model on two cores. */
const MAX_CHECK_TOKENS = 128;
/** A right answer may be a little longer than the one it replaces. */
const CHECK_SLACK_TOKENS = 16;
/** Scores of a frozen teacher that are kept: some 100 samples of 64 tokens with 32 candidates, 10 MB. */
const MAX_SCORES = 128;

interface Candidate {
  hint: HintCandidate;
  promptIds: number[];
  scored: Scored;
}

export class TeacherChoice {
  readonly #parts: TeacherChoiceParts;
  /** A frozen teacher's scores never change, and replayed samples need them again in every batch. */
  readonly #scores = new Map<string, Scored>();

  constructor(parts: TeacherChoiceParts) {
    this.#parts = parts;
  }

  /**
   * The student's answer under the chosen teacher; null when no hint fits the context or all of them mislead.
   * `student`: the same answer scored by `parent`, with top lists. Throws what the engine throws.
   */
  async choose(
    of: AnsweredSample,
    student: Scored,
    parent: WeightVersion,
    prompt: ChatPrompt,
    signal: AbortSignal,
  ): Promise<Scored | null> {
    const { store, config } = this.#parts;
    const { sample, turn } = of;
    if (sample.hint === null) return null;
    const teacher = config.teacher === 'base' ? BASE_VERSION : parent;
    const known = config.teacherCheck === 'once' ? store.teacherCheck(sample.sampleId) : undefined;
    // A policy that moves teaches differently with every version, and one check a replay would double what it costs.
    if (known && (known.teacher === BASE_VERSION) === (teacher === BASE_VERSION)) {
      if (known.verdict === 'worse') return null;
      const [candidate] = await this.#read(of, [known.hint], teacher, prompt, signal);
      return candidate?.scored ?? null;
    }
    const hints = teachingHints(sample.hint, store.hintCandidates(turn.turnId));
    const candidates = await this.#read(of, hints, teacher, prompt, signal);
    const overlaps = candidates.map(({ scored }) => overlap(student.top, scored.top, config.topK));
    let refused: TeacherCheck | null = null;
    for (const index of hintOrder(overlaps)) {
      const candidate = candidates[index];
      if (candidate === undefined) continue;
      if (config.teacherCheck === 'never') return candidate.scored;
      const share = (overlaps[index] ?? 0) / (config.topK * of.response.responseIds.length);
      const finding = await this.#check(of, candidate, share, teacher, prompt, signal);
      const check: TeacherCheck = { teacher, hint: candidate.hint, ...finding };
      if (finding.verdict !== 'worse') {
        store.recordTeacherCheck(sample.sampleId, check);
        return candidate.scored;
      }
      refused ??= check;
    }
    if (refused !== null) store.recordTeacherCheck(sample.sampleId, refused);
    return null;
  }

  /** The student's answer under each hint whose prompt leaves it room in the context. */
  async #read(
    { sample, turn, response }: AnsweredSample,
    hints: readonly HintCandidate[],
    teacher: WeightVersion,
    prompt: ChatPrompt,
    signal: AbortSignal,
  ): Promise<Candidate[]> {
    const { responseIds } = response;
    const candidates: Candidate[] = [];
    for (const hint of hints) {
      const promptIds = prompt.ids(teacherMessages(turn.messages, hint), turn.tools);
      if (promptIds.length + responseIds.length > prompt.tokenizer.contextLength) continue;
      const key = `${sample.sampleId} ${teacher} ${hint.text}`;
      const topLogprobs = listLength(this.#parts.config.topK);
      const request = { promptIds, responseIds, version: teacher, topLogprobs };
      const scored = this.#scores.get(key) ?? (await this.#parts.engine.score(request, signal));
      this.#keep(key, scored);
      candidates.push({ hint, promptIds, scored });
    }
    return candidates;
  }

  async #check(
    { turn, response }: AnsweredSample,
    { hint, promptIds }: Candidate,
    overlapShare: number,
    teacher: WeightVersion,
    prompt: ChatPrompt,
    signal: AbortSignal,
  ): Promise<Finding> {
    const wanted =
      hint.kind === 'rewrite' ? prompt.responseIds(hint.text).length : response.responseIds.length;
    const room = prompt.tokenizer.contextLength - promptIds.length;
    const max_new_tokens = Math.min(MAX_CHECK_TOKENS, wanted + CHECK_SLACK_TOKENS, room);
    const sampling_params = { temperature: 0, max_new_tokens };
    const request = { input_ids: promptIds, sampling_params, lora_path: loraPath(teacher) };
    let answer: { text: string; output_ids: number[]; finish: string | undefined } = {
      text: '',
      output_ids: [],
      finish: undefined,
    };
    for await (const { text, output_ids, meta_info } of this.#parts.engine.generate(request, signal))
      answer = { text, output_ids, finish: meta_info.finish_reason?.type };
    const asked = turn.messages.findLast(({ role }) => role === 'user')?.content ?? '';
    const finding = checkTeacher({
      hint,
      request: asked,
      student: response.text,
      teacher: {
        responseIds: answer.output_ids,
        text: answer.text,
        finishReason: answer.finish === 'stop' ? 'stop' : 'length',
      },
      overlapShare,
    });
    const { judge } = this.#parts;
    if (finding.verdict !== 'unknown' || judge === undefined) return finding;
    const pair = { request: asked, hint: hint.text, student: response.text, teacher: answer.text };
    return askWhichIsBetter(judge, pair, signal);
  }

  #keep(key: string, scored: Scored): void {
    this.#scores.delete(key);
    this.#scores.set(key, scored);
    const [oldest] = this.#scores.keys();
    if (this.#scores.size > MAX_SCORES && oldest !== undefined) this.#scores.delete(oldest);
  }
}
