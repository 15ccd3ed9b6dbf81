/**
 * The one function through which everything that is captured goes: `scrub`. Keeps the values of the workspace's `.env`
 * files at hand; what counts as a secret is for the pure files beside this one. No value of them is stored or logged.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { CancellationTokenSource, type Disposable, type Uri, workspace } from 'vscode';
import { type Log, messageOf } from '../../log.ts';
import { mergeValues, secretValues } from './env-values.ts';
import { scrubText } from './scrub.ts';

const FILES = '**/{.env,.env.*}';
const NOT_IN = '**/{node_modules,.git,.venv,venv}/**';
/** Shows what the variables are called; its values are for everybody. */
const EXAMPLE = /\.(?:example|sample|template|dist)$/i;
const MAX_FILES = 50;
const MAX_FILE_BYTES = 65_536;
const FIND_TIMEOUT_MS = 5_000;

export class Scrubber implements Disposable {
  /** By path. Values that were removed stay: what was captured with them in it must still match. */
  readonly #values = new Map<string, readonly string[]>();
  readonly #log: Log;
  readonly #subscriptions: Disposable[];
  #merged: readonly string[] = [];
  #read: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
    const files = workspace.createFileSystemWatcher(FILES);
    const changed = (file: Uri): void => {
      // Before the first text there is nothing to keep up to date.
      if (this.#read !== undefined) this.#read = this.#read.then(() => this.#readFile(file));
    };
    this.#subscriptions = [
      files,
      files.onDidCreate(changed),
      files.onDidChange(changed),
      workspace.onDidChangeWorkspaceFolders(() => {
        this.#read = undefined;
      }),
    ];
  }

  /**
   * `text` with every recognised secret replaced by `<secret>`. Throws when the rules cannot be loaded: then nothing is
   * captured. Costs some 5 ms for 100 KB; a caller bounds what it hands over.
   */
  readonly scrub = async (text: string): Promise<string> => {
    this.#read ??= this.#readAll();
    await this.#read;
    return scrubText(text, this.#merged);
  };

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #readAll(): Promise<void> {
    const late = new CancellationTokenSource();
    const timer = setTimeout(() => late.cancel(), FIND_TIMEOUT_MS);
    try {
      const files = await workspace.findFiles(FILES, NOT_IN, MAX_FILES, late.token);
      if (late.token.isCancellationRequested)
        this.#log.warn(
          'The search for .env files took too long: values of some may not be known as secrets.',
        );
      for (const file of files) await this.#readFile(file);
    } finally {
      clearTimeout(timer);
      late.dispose();
    }
  }

  async #readFile({ scheme, fsPath }: Uri): Promise<void> {
    if (scheme !== 'file' || EXAMPLE.test(basename(fsPath))) return;
    if (this.#values.size >= MAX_FILES && !this.#values.has(fsPath)) return;
    try {
      const { size } = await stat(fsPath);
      if (size > MAX_FILE_BYTES) return;
      const values = secretValues(await readFile(fsPath, 'utf8'));
      this.#values.set(fsPath, mergeValues([values, this.#values.get(fsPath) ?? []]));
      this.#merged = mergeValues(this.#values.values());
    } catch (error) {
      this.#log.warn(`${fsPath} was not read for secrets: ${messageOf(error)}`);
    }
  }
}
