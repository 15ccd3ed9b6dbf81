/** The command "Apprentice: Set Up Local Model": runs the bundled set-up with VS Code's own Node, shows its steps. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Disposable, EventEmitter, l10n, ProgressLocation, window } from 'vscode';
import { ApprenticeError } from '../agent-server/protocol/errors.ts';
import type { PanelSnapshot } from '../agent-server/protocol/panel.ts';
import type { Log } from './log.ts';
import { hasRuntime, type Settings } from './settings.ts';

/** A slow line and a slow disk: torch alone is some 200 MB. */
const SETUP_TIMEOUT_MS = 60 * 60_000;

export type RuntimeState = 'ready' | 'missing' | 'installing';

export class RuntimeSetup implements Disposable {
  #running: Promise<void> | null = null;
  readonly #abort = new AbortController();
  readonly #onDidChange = new EventEmitter<void>();
  readonly #extensionPath: string;
  readonly #settings: () => Settings;
  readonly #remote: () => boolean;
  readonly #log: Log;
  readonly onDidChange = this.#onDidChange.event;

  /** `remote`: is a worker on another machine set? */
  constructor(extensionPath: string, settings: () => Settings, remote: () => boolean, log: Log) {
    this.#remote = remote;
    this.#extensionPath = extensionPath;
    this.#settings = settings;
    this.#log = log;
  }

  /**
   * A server that was started elsewhere may have a model that these settings do not name, and one on another machine is
   * no business of theirs; both count.
   */
  state(snapshot: Pick<PanelSnapshot, 'worker' | 'workerPlace'> | null): RuntimeState {
    if (this.#running !== null) return 'installing';
    const engine = snapshot?.worker?.engine.state;
    const answers = engine === 'ready' || engine === 'busy';
    const elsewhere = this.#remote() || snapshot?.workerPlace.kind === 'remote';
    return answers || elsewhere || hasRuntime(this.#settings()) ? 'ready' : 'missing';
  }

  /** Resolves when everything is in place. Throws `setup_failed` with the last lines, `aborted` on cancel. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      this.#onDidChange.fire();
    });
    this.#onDidChange.fire();
    return this.#running;
  }

  dispose(): void {
    this.#abort.abort();
    this.#onDidChange.dispose();
  }

  async #run(): Promise<void> {
    const options = {
      location: ProgressLocation.Notification,
      title: l10n.t('Apprentice sets up its model'),
      cancellable: true,
    };
    await window.withProgress(options, (progress, token) => {
      const cancel = new AbortController();
      token.onCancellationRequested(() => cancel.abort());
      const signal = AbortSignal.any([
        cancel.signal,
        this.#abort.signal,
        AbortSignal.timeout(SETUP_TIMEOUT_MS),
      ]);
      return this.#setUp(signal, (message) => progress.report({ message }));
    });
  }

  #setUp(signal: AbortSignal, report: (line: string) => void): Promise<void> {
    const script = join(this.#extensionPath, 'dist', 'setup.mjs');
    const { home, trainer, engine } = this.#settings();
    const extra = trainer === 'megatron' ? ['--trainer', trainer] : [];
    if (engine?.kind === 'llama-cpp') extra.push('--engine', engine.kind);
    const child = spawn(process.execPath, [script, '--home', home, ...extra], {
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
      windowsHide: true,
    });
    const lastLines: string[] = [];
    const line = (text: string): void => {
      this.#log.info(text);
      if (text.trim() === '') return;
      lastLines.push(text.trim());
      if (lastLines.length > 5) lastLines.shift();
      report(text.trim().slice(0, 120));
    };
    createInterface({ input: child.stdout }).on('line', line);
    createInterface({ input: child.stderr }).on('line', line);
    return new Promise((resolve, reject) => {
      child.once('error', (error) =>
        reject(
          signal.aborted
            ? new ApprenticeError(
                'aborted',
                l10n.t('The set-up was cancelled.'),
                l10n.t('Run it again: it resumes.'),
              )
            : new ApprenticeError(
                'setup_failed',
                l10n.t('The set-up did not start: {0}', error.message),
                '',
                {
                  cause: error,
                },
              ),
        ),
      );
      child.once('close', (code) => {
        if (code === 0) resolve();
        else {
          const said = lastLines.join(' ') || `exit code ${code}`;
          reject(
            new ApprenticeError(
              'setup_failed',
              l10n.t('The set-up failed: {0}', said),
              l10n.t('Mend that and run it again: it resumes.'),
            ),
          );
        }
      });
    });
  }
}
