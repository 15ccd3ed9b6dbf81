/** A judge as the voting sees it: text in, text out. What it is asked, and what counts as an answer, is not its own. */

export interface JudgePrompt {
  readonly system: string;
  readonly user: string;
}

export interface JudgeAnswer {
  readonly text: string;
  /** As the judge names the model that answered. */
  readonly model: string;
  /** Null where the judge does not say. */
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly costUsd: number | null;
}

export interface Judge {
  /** Stored with every vote: `openai`, `vscode`, `none`. */
  readonly name: string;
  /** False: there is nobody to ask, and evidence alone decides. One that is away for now is present. */
  readonly present: boolean;
  /**
   * One independent call. Throws `aborted` when `signal` aborts, `judge_unavailable` when nobody answers; whatever
   * it throws, the vote is asked for again later, a bounded number of times.
   */
  ask(prompt: JudgePrompt, signal: AbortSignal): Promise<JudgeAnswer>;
}
