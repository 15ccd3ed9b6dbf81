/** An engine that tells by a prompt whether lessons stand in it. */
import type { Scored } from '../../agent-server/engine/engine.ts';
import type { GenerateRequestInput, GenerateResponse } from '../../agent-server/protocol/engine.ts';
import type { WeightVersion } from '../../agent-server/protocol/ids.ts';
import { InProcessEngine } from './in-process-engine.ts';

/** `<|im_start|>`: one a message, and one where the answer begins. */
const MESSAGE_BEGINS = 1;
/** The template's own system message, the user's, the answer's. */
const WITHOUT_LESSONS = 3;

export const hasLessons = (ids: readonly number[]): boolean =>
  ids.filter((id) => id === MESSAGE_BEGINS).length > WITHOUT_LESSONS;

/** Answers one thing with lessons in the prompt and another without; finds answers as likely as it is told. */
export class TaughtEngine extends InProcessEngine {
  taught = 'fix: greet';
  untaught = 'Here is your message, I hope that it helps you: greeting';
  likelihood: (taught: boolean, version: WeightVersion) => number = () => -0.5;

  override generate(input: GenerateRequestInput, signal: AbortSignal): AsyncGenerator<GenerateResponse> {
    this.reply = hasLessons(input.input_ids ?? []) ? this.taught : this.untaught;
    return super.generate(input, signal);
  }

  override async score(
    request: Parameters<InProcessEngine['score']>[0],
    signal: AbortSignal,
  ): Promise<Scored> {
    const scored = await super.score(request, signal);
    const logprob = this.likelihood(hasLessons(request.promptIds), request.version);
    return { ...scored, logprobs: scored.logprobs.map(() => logprob) };
  }
}
