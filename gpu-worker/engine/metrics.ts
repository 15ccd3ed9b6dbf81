/** Counters of the engine in Prometheus' text format, under SGLang's names. */

export class EngineMetrics {
  #requests = 0;
  #aborted = 0;
  #promptTokens = 0;
  #cachedTokens = 0;
  #generatedTokens = 0;

  /** Called once a request, when it ends. */
  record(ended: {
    promptTokens: number;
    cachedTokens: number;
    generatedTokens: number;
    aborted: boolean;
  }): void {
    this.#requests += 1;
    this.#promptTokens += ended.promptTokens;
    this.#cachedTokens += ended.cachedTokens;
    this.#generatedTokens += ended.generatedTokens;
    if (ended.aborted) this.#aborted += 1;
  }

  /** The exposition, version 0.0.4. */
  text(now: { running: number; waiting: number; model: string }): string {
    const label = `{model_name="${now.model.replace(/[\\"\n]/g, '_')}"}`;
    const lines: string[] = [];
    const add = (type: 'gauge' | 'counter', name: string, help: string, value: number) => {
      lines.push(
        `# HELP sglang:${name} ${help}`,
        `# TYPE sglang:${name} ${type}`,
        `sglang:${name}${label} ${value}`,
      );
    };
    add('gauge', 'num_running_reqs', 'Requests being computed.', now.running);
    add('gauge', 'num_queue_reqs', 'Requests waiting for a place.', now.waiting);
    add('counter', 'num_requests_total', 'Requests that ended.', this.#requests);
    add('counter', 'num_aborted_requests_total', 'Requests that were given up.', this.#aborted);
    add('counter', 'prompt_tokens_total', 'Prompt tokens of requests that ended.', this.#promptTokens);
    add('counter', 'cached_tokens_total', 'Prompt tokens that came from the cache.', this.#cachedTokens);
    add('counter', 'generation_tokens_total', 'Tokens generated.', this.#generatedTokens);
    return `${lines.join('\n')}\n`;
  }
}
