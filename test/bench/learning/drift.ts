/**
 * How far a version has moved where nobody asked it to: KL(base || version) in nats a token, on the base's own
 * greedy answers to prompts that have nothing to do with any user (nor with the anchors).
 */
import type { Engine, Scored } from '../../../agent-server/engine/engine.ts';
import type { ChatPrompt } from '../../../agent-server/gateway/chat-template.ts';
import { BASE_VERSION, type WeightVersion } from '../../../agent-server/protocol/ids.ts';

const PROMPTS = [
  'What is photosynthesis?',
  'Write a short poem about winter.',
  'Who was Albert Einstein?',
  'How do I learn to swim?',
  'Explain what a database is.',
  'What are the primary colours?',
  'Give advice for a job interview.',
  'Describe a forest in two sentences.',
];
const ANSWER_TOKENS = 40;
/** The engine contract's longest list. What the base holds outside it is a small rest that is left out. */
const TOP = 64;

interface Probe {
  promptIds: number[];
  responseIds: number[];
  base: Scored;
}

export class Drift {
  readonly #engine: Pick<Engine, 'score'>;
  readonly #probes: readonly Probe[];

  private constructor(engine: Pick<Engine, 'score'>, probes: readonly Probe[]) {
    this.#engine = engine;
    this.#probes = probes;
  }

  static async of(
    engine: Pick<Engine, 'generate' | 'score'>,
    prompt: ChatPrompt,
    signal: AbortSignal,
  ): Promise<Drift> {
    const probes = await Promise.all(
      PROMPTS.map(async (content): Promise<Probe> => {
        const promptIds = prompt.ids([{ role: 'user', content }]);
        let responseIds: number[] = [];
        const sampling_params = { max_new_tokens: ANSWER_TOKENS, temperature: 0 };
        const request = { input_ids: promptIds, sampling_params, lora_path: null };
        for await (const answer of engine.generate(request, signal)) responseIds = answer.output_ids;
        const scored = { promptIds, responseIds, version: BASE_VERSION, topLogprobs: TOP };
        return { promptIds, responseIds, base: await engine.score(scored, signal) };
      }),
    );
    return new Drift(engine, probes);
  }

  /** Nats a token. A token that the version no longer lists counts with its list's smallest logprob. */
  async of(version: WeightVersion, signal: AbortSignal): Promise<number> {
    if (version === BASE_VERSION) return 0;
    let sum = 0;
    let tokens = 0;
    for (const { promptIds, responseIds, base } of this.#probes) {
      const moved = await this.#engine.score({ promptIds, responseIds, version, topLogprobs: TOP }, signal);
      for (const [position, list] of base.top.entries()) {
        const now = new Map((moved.top[position] ?? []).map(([logprob, id]) => [id, logprob]));
        const floor = Math.min(...now.values());
        for (const [logprob, id] of list) sum += Math.exp(logprob) * (logprob - (now.get(id) ?? floor));
        tokens += 1;
      }
    }
    return sum / tokens;
  }
}
