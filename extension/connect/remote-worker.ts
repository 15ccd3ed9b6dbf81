/**
 * The commands "Connect Remote Worker…" and "Use the Worker of This Machine": where the model computes. A pairing is
 * tried before it is kept, kept in VS Code's secret storage alone, and handed to the agent-server at its start.
 */
import { l10n, ProgressLocation, type SecretStorage, window } from 'vscode';
import { editorRequests } from '../../agent-server/protocol/editor.ts';
import type { WorkerInfo } from '../../agent-server/protocol/link.ts';
import { formatPairing, Pairing, parsePairing } from '../../agent-server/protocol/pairing.ts';
import type { AgentServerClient } from '../client.ts';

const SECRET = 'apprentice.worker';
const TRY_LIMIT_MS = 30_000;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export class RemoteWorker {
  readonly #secrets: SecretStorage;
  #known = false;

  constructor(secrets: SecretStorage) {
    this.#secrets = secrets;
  }

  /** Was one paired with, as far as is known? Right once `line` has been asked for. */
  get isSet(): boolean {
    return this.#known;
  }

  /** The pairing line for the agent-server; null: its worker is this machine's. Other windows may have changed it. */
  async line(): Promise<string | null> {
    const kept = await this.#secrets.get(SECRET);
    this.#known = kept !== undefined && parsePairing(kept) !== null;
    return this.#known ? (kept ?? null) : null;
  }

  /** Throws what trying throws; then nothing has changed. Cancelled: nothing has changed either. */
  async connect(client: AgentServerClient): Promise<void> {
    const pairing = await askPairing();
    if (pairing === null || !(await acceptsPlain(pairing))) return;
    const info = await tried(client, pairing);
    await this.#secrets.store(SECRET, formatPairing(pairing));
    this.#known = true;
    await client.restartServer();
    void window.showInformationMessage(
      l10n.t(
        'The worker at {0} answers and learns from now on, with {1}. Versions are kept on this machine; what is asked and trained on goes there. Versions of another base model do not serve there.',
        pairing.url,
        info.baseModel,
      ),
    );
  }

  async disconnect(client: AgentServerClient): Promise<void> {
    if ((await this.line()) === null) {
      const elsewhere = client.snapshot?.workerPlace.kind === 'remote';
      void window.showInformationMessage(
        elsewhere
          ? l10n.t('The remote worker is named in config.json or in the environment: change it there.')
          : l10n.t('The worker is the one of this machine already.'),
      );
      return;
    }
    await this.#secrets.delete(SECRET);
    this.#known = false;
    await client.restartServer();
    void window.showInformationMessage(
      l10n.t(
        'This machine answers and learns from now on. What was sent to the other one lies there until its folder is deleted.',
      ),
    );
  }
}

async function tried(client: AgentServerClient, pairing: Pairing): Promise<WorkerInfo> {
  const options = {
    location: ProgressLocation.Notification,
    title: l10n.t('Apprentice tries the worker at {0}', pairing.url),
    cancellable: true,
  };
  return window.withProgress(options, async (_progress, token) => {
    const cancel = new AbortController();
    const subscription = token.onCancellationRequested(() => cancel.abort());
    try {
      const { signal } = cancel;
      return await client.request(editorRequests.tryWorker, pairing, { signal, timeoutMs: TRY_LIMIT_MS });
    } finally {
      subscription.dispose();
    }
  });
}

/** A pairing line, or a URL and then its key; null: given up. */
async function askPairing(): Promise<Pairing | null> {
  const title = l10n.t('Connect Remote Worker');
  const given = await window.showInputBox({
    title,
    prompt: l10n.t('The line that apprentice-worker printed on the other machine, or its URL'),
    placeHolder: 'apprentice-worker://gpu.example:7430?sha256=…#…',
    // It holds the key.
    password: true,
    ignoreFocusOut: true,
    validateInput: (text) =>
      text === '' || parsePairing(text) !== null || urlOf(text) !== null
        ? null
        : l10n.t('Neither a pairing line nor a URL like https://gpu.example:7430'),
  });
  if (given === undefined || given === '') return null;
  const pairing = parsePairing(given);
  if (pairing !== null) return pairing;
  const url = urlOf(given);
  if (url === null) return null;
  const key = await window.showInputBox({
    title,
    prompt: l10n.t('The key of the worker at {0}', url),
    password: true,
    ignoreFocusOut: true,
    validateInput: (text) =>
      text === '' || Pairing.shape.key.safeParse(text).success
        ? null
        : l10n.t('A key has 16 characters or more, and no spaces'),
  });
  if (key === undefined || key === '') return null;
  return Pairing.parse({ url, key, sha256: null });
}

function urlOf(text: string): string | null {
  return Pairing.shape.url.safeParse(text.trim().replace(/\/$/, '')).data ?? null;
}

async function acceptsPlain({ url }: Pairing): Promise<boolean> {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || LOOPBACK.test(hostname)) return true;
  const detail = l10n.t(
    'Whoever is on the way can read the key, your code and the weights, and change them. Start apprentice-worker with --tls-self-signed to be rid of that.',
  );
  const connect = l10n.t('Connect Anyway');
  const question = l10n.t('Connect to {0} without TLS?', url);
  return (await window.showWarningMessage(question, { modal: true, detail }, connect)) === connect;
}
