/** What is run after an agent's edits, in this window: one part a source, and what they share. */
import type { Disposable, LogOutputChannel } from 'vscode';
import type { AgentServerClient } from '../../client.ts';
import { DiagnosticsCapture } from '../diagnostics/diagnostics-capture.ts';
import type { HunkCapture } from '../hunks/hunk-capture.ts';
import type { CaptureIgnore } from '../ignore/capture-ignore.ts';
import type { ObservationSpool } from '../observation-spool.ts';
import type { Scrub } from '../scrub/scrub.ts';
import { AgentRuns } from './agent-runs.ts';
import { EarlierRuns } from './earlier-runs.ts';
import { ReportCapture } from './report-capture.ts';
import { TaskCapture } from './task-capture.ts';
import { TerminalCapture } from './terminal-capture.ts';
import { TurnsAtWork } from './turns-at-work.ts';

export interface RunCapture extends Disposable {
  /** What our own agent runs is told here. */
  readonly agentRuns: AgentRuns;
}

/** Made after `hunks`: TurnsAtWork says why. */
export function captureRuns(
  client: AgentServerClient,
  spool: ObservationSpool,
  hunks: HunkCapture,
  { scrub, ignored }: { scrub: Scrub; ignored: Pick<CaptureIgnore, 'mayCapture' | 'isNamed'> },
  log: LogOutputChannel,
): RunCapture {
  const turns = new TurnsAtWork(client, spool, hunks, scrub, log);
  const earlier = new EarlierRuns();
  const tasks = new TaskCapture(turns, earlier);
  const parts = [
    tasks,
    new TerminalCapture(turns, earlier, tasks, log),
    new ReportCapture(turns, earlier, (path) => ignored.isNamed(path), log),
    new DiagnosticsCapture(turns, hunks, (path) => ignored.mayCapture(path)),
    // The last: the others look at it as they end.
    turns,
  ];
  return {
    agentRuns: new AgentRuns(turns, earlier),
    dispose: () => {
      for (const part of parts) part.dispose();
    },
  };
}
