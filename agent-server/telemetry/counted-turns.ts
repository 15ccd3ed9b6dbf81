/** Turns that are counted as they end, over HTTP and for editors alike. */
import {
  type TurnEvent,
  type TurnRequest,
  TurnRunner,
  type TurnRunnerOptions,
} from '../gateway/turn-runner.ts';
import { toApprenticeError } from '../protocol/errors.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';

export class CountedTurns extends TurnRunner {
  readonly #metrics: Pick<GatewayMetrics, 'turn'>;

  constructor(options: TurnRunnerOptions, metrics: Pick<GatewayMetrics, 'turn'>) {
    super(options);
    this.#metrics = metrics;
  }

  override async *run(request: TurnRequest, signal: AbortSignal): AsyncGenerator<TurnEvent> {
    const beganMs = performance.now();
    const secondsSoFar = () => (performance.now() - beganMs) / 1000;
    const tokens = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
    let secondsToFirstToken: number | null = null;
    // Stays so when the consumer leaves the iteration: nothing is thrown in here then.
    let outcome = 'aborted';
    try {
      for await (const event of super.run(request, signal)) {
        if (event.type === 'begun') tokens.promptTokens = event.promptTokens;
        else if (event.type === 'text') {
          tokens.completionTokens += event.tokens.length;
          if (event.tokens.length > 0) secondsToFirstToken ??= secondsSoFar();
        } else {
          tokens.cachedTokens = event.cachedTokens;
          outcome = event.finishReason;
        }
        yield event;
      }
    } catch (thrown) {
      outcome = toApprenticeError(thrown).code;
      throw thrown;
    } finally {
      const { takenFor } = request;
      this.#metrics.turn({ takenFor, outcome, ...tokens, seconds: secondsSoFar(), secondsToFirstToken });
    }
  }
}
