/**
 * What language servers said of a document before an agent's edit came, followed through the changes until they have
 * read it anew: which of it stood in lines that the agent changed, and what is new in its lines. Pure.
 */

export interface Problem {
  /** Zero-based, both ends included. */
  readonly startLine: number;
  readonly endLine: number;
  readonly severity: 'error' | 'warning';
  readonly source: string;
  readonly code: string | null;
  readonly message: string;
}

/** Lines of the document before that were replaced, and how many line ends stand in what came. */
export interface LineChange {
  readonly startLine: number;
  readonly endLine: number;
  readonly newLines: number;
}

export interface Lines {
  readonly startLine: number;
  readonly endLine: number;
}

interface Followed {
  readonly problem: Problem;
  startLine: number;
  endLine: number;
  /** The agent changed lines of it. */
  touched: boolean;
}

/** More of a document than this is a document that no server understands. */
export const MAX_PROBLEMS = 200;

export class TouchedProblems {
  readonly #before: Followed[];

  constructor(before: readonly Problem[]) {
    this.#before = before.slice(0, MAX_PROBLEMS).map((problem) => {
      const { startLine, endLine } = problem;
      return { problem, startLine, endLine, touched: false };
    });
  }

  /** The document changed: `changes` with the lines of before, not overlapping, in any order. */
  changed(changes: readonly LineChange[], by: 'agent' | 'other'): void {
    // From the end of the document: then each one's lines are still right.
    for (const change of changes.toSorted((a, b) => b.startLine - a.startLine)) {
      const added = change.newLines - (change.endLine - change.startLine);
      for (const followed of this.#before) {
        if (meet(followed, change)) {
          if (by === 'agent') followed.touched = true;
          followed.endLine = Math.max(followed.startLine, followed.endLine + added);
        } else if (followed.startLine > change.endLine) {
          followed.startLine += added;
          followed.endLine += added;
        }
      }
    }
  }

  /** What appeared in the agent's lines, and what vanished from lines that it changed; `now` is all of the document. */
  compare(now: readonly Problem[], lines: readonly Lines[]): { appeared: Problem[]; vanished: Problem[] } {
    const was = new Set(this.#before.map(({ problem }) => keyOf(problem)));
    const is = new Set(now.map(keyOf));
    return {
      appeared: now
        .filter((one) => !was.has(keyOf(one)) && lines.some((touched) => meet(one, touched)))
        .slice(0, MAX_PROBLEMS),
      vanished: this.#before.flatMap(({ problem, touched }) =>
        touched && !is.has(keyOf(problem)) ? [problem] : [],
      ),
    };
  }
}

function meet(one: Lines, other: Lines): boolean {
  return one.startLine <= other.endLine && other.startLine <= one.endLine;
}

/** The same problem on another line is the same. */
function keyOf({ severity, source, code, message }: Problem): string {
  return `${severity}\n${source}\n${code}\n${message}`;
}
