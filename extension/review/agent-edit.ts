/** An edit that our own agent (agent/) puts under review, and what becomes of it. */
export interface AgentEdit {
  readonly turnId: string;
  /** The call of the turn's answer that makes it. */
  readonly callId: string;
  /** These lines of the document, from `first` on, become `proposed`. */
  readonly first: number;
  readonly original: readonly string[];
  readonly proposed: readonly string[];
  /** What the call would have had to say for these lines to come out; null: it cannot be said by it. */
  asAnswer(left: readonly string[]): string | null;
}

/** `left`: it ended without a word on the whole. */
export interface ReviewEnd {
  readonly decision: 'accepted' | 'rejected' | 'edited' | 'left';
  /** Why, as far as the user said so. */
  readonly comments: readonly string[];
  /** The lines as they are now. */
  readonly left: string;
}

export type ProposedReview =
  | { readonly kind: 'open'; readonly ended: Promise<ReviewEnd> }
  /** Nothing would change. */
  | { readonly kind: 'same' }
  | { readonly kind: 'refused'; readonly why: string };
