/**
 * The window's parts: makes each once, says what every command does, and gives all of it back on deactivation. A bundle
 * of its own: what VS Code must know before is in activate.ts, which loads this when something is first used.
 */
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type EventEmitter,
  type ExtensionContext,
  env,
  type LogOutputChannel,
  l10n,
  lm,
  Uri,
  type WebviewViewProvider,
  window,
  workspace,
} from 'vscode';
import { editorRequests } from '../agent-server/protocol/editor.ts';
import { AllowedCommands } from './agent/allowed-commands.ts';
import { manageAllowedCommands } from './agent/confirm-command.ts';
import { CommitMemory } from './capture/git/committed-turns.ts';
import { GitCapture } from './capture/git/git-capture.ts';
import { HunkCapture } from './capture/hunks/hunk-capture.ts';
import { CaptureIgnore } from './capture/ignore/capture-ignore.ts';
import { ObservationSpool } from './capture/observation-spool.ts';
import { ReviewCapture } from './capture/review-capture.ts';
import { captureRuns } from './capture/runs/run-capture.ts';
import { Scrubber } from './capture/scrub/scrubber.ts';
import { ApprenticeModels } from './chat/model-provider.ts';
import { openChat } from './chat/open-chat.ts';
import { type ChatHandlers, chatHandlers } from './chat/participant.ts';
import { AgentServerClient } from './client.ts';
import { CommitWatcher } from './commit/commit-watcher.ts';
import type { Cleaning } from './commit/git.ts';
import { whenGitIsThere } from './commit/git-api.ts';
import { LatestProposals } from './commit/latest-proposals.ts';
import type { Commit } from './commit/staged-change.ts';
import { CommitMessageWriter } from './commit/write-commit-message.ts';
import { connectAgent } from './connect/connect-agent.ts';
import { RemoteWorker } from './connect/remote-worker.ts';
import { Consent } from './consent.ts';
import { ThumbLenses } from './feedback/thumb-lenses.ts';
import { Thumbs } from './feedback/thumbs.ts';
import { LanguageModelJudge } from './judge/language-model.ts';
import { MENU_COMMAND } from './manifest.ts';
import { ModelSetUp } from './model-set-up.ts';
import { Measuring } from './panel/measuring.ts';
import { panelActions } from './panel/panel-actions.ts';
import { PanelHost } from './panel/panel-host.ts';
import { InlineEditCommands } from './review/inline-edit-commands.ts';
import { RuntimeSetup } from './runtime-setup.ts';
import { readSettings, serverEnvironment } from './settings.ts';
import { showQuickMenu } from './status/quick-menu.ts';
import type { StatusBar } from './status/status-bar.ts';
import { Walkthrough } from './walkthrough.ts';

/** The Git extension starts with the window; one that takes longer than this is not there. */
const GIT_LIMIT_MS = 10_000;

/** What activate.ts has registered already. */
export interface Registered {
  log: LogOutputChannel;
  statusBar: StatusBar;
  /** Fired when VS Code should ask for the list of models again. */
  modelsChanged: EventEmitter<void>;
}

/** What VS Code calls, by what activate.ts has registered. */
export interface WindowParts {
  /** By the ids in package.json. */
  commandHandlers: Record<string, (...args: unknown[]) => unknown>;
  panel: WebviewViewProvider;
  models: ApprenticeModels;
  chat: ChatHandlers;
  /** Connects to the agent-server, starting it where none runs. */
  connect(): void;
}

export function makeParts(
  context: ExtensionContext,
  { log, statusBar, modelsChanged }: Registered,
): WindowParts {
  const remoteWorker = new RemoteWorker(context.secrets);
  const launch = async () => {
    const settings = readSettings();
    const worker = await remoteWorker.line();
    return {
      serverFile: Uri.joinPath(context.extensionUri, 'dist', 'agent-server.mjs').fsPath,
      home: settings.home,
      environment: serverEnvironment(settings, worker),
    };
  };
  const judge = new LanguageModelJudge(context.languageModelAccessInformation);
  const client = new AgentServerClient(
    launch,
    `vscode ${basename(workspace.name ?? 'no folder')}`,
    judge,
    log,
  );
  const consent = new Consent(client, context.globalState);
  const runtime = new RuntimeSetup(context.extensionPath, readSettings, () => remoteWorker.isSet, log);
  const spool = new ObservationSpool(
    context.workspaceState,
    (observation) => client.request(editorRequests.observe, observation),
    log,
  );
  const latest = new LatestProposals();
  let gitBinary: string | null = null;
  const ignored = new CaptureIgnore(() => gitBinary, log);
  const scrubber = new Scrubber(log);
  const { scrub } = scrubber;
  const cleaning: Cleaning = {
    scrub,
    clean: async (diff, root) => scrub(await ignored.withhold(diff, root)),
  };
  const hunks = new HunkCapture(client, spool, (path) => ignored.mayCapture(path));
  const runs = captureRuns(client, spool, hunks, { scrub, ignored }, log);
  context.subscriptions.push(spool, runs);
  const thumbs = new Thumbs(client, spool, latest, scrub);
  const walkthrough = new Walkthrough();

  const model = new ModelSetUp(client, runtime, log);
  const { ready, showError } = model;
  const edits = new InlineEditCommands({
    client,
    reviews: new ReviewCapture(client, spool, { scrub, mayCapture: (path) => ignored.mayCapture(path) }, log),
    hunks,
    scrub,
    ready,
    askConsent: () => consent.ask(),
    showError,
  });
  let writer: CommitMessageWriter | null = null;
  const gitParts = whenGitIsThere((git) => {
    gitBinary = git.git.path;
    const watcher = new CommitWatcher(git, client, spool, cleaning, log);
    writer = new CommitMessageWriter({
      git,
      client,
      watcher,
      latest,
      cleaning,
      log,
      ready,
      askConsent: () => consent.ask(),
      showError,
    });
    context.subscriptions.push(
      watcher,
      writer,
      new GitCapture(git, {
        client,
        spool,
        hunks,
        memory: new CommitMemory(context.workspaceState),
        scrub,
        mayCapture: (path) => ignored.mayCapture(path),
        log,
      }),
    );
  }, log);
  const write = async (argument: unknown, commit: Commit = 'new'): Promise<void> => {
    if (writer === null) await Promise.race([gitParts.looked, delay(GIT_LIMIT_MS)]);
    if (writer !== null) return writer.write(argument, commit);
    void window.showWarningMessage(
      workspace.isTrusted
        ? l10n.t('Apprentice needs the built-in Git extension: enable it, and the setting git.enabled.')
        : l10n.t('Apprentice reads nothing in a workspace that you have not trusted.'),
    );
  };
  const allowed = new AllowedCommands(context.workspaceState);
  const models = new ApprenticeModels(client);
  const writeFromChat = async (): Promise<string | null> => {
    const before = latest.get(null);
    await write(undefined);
    const after = latest.get(null);
    return after === null || after === before ? null : after.text;
  };
  const measuring = new Measuring(client);
  const actions = panelActions({
    client,
    consent,
    thumbs,
    runtime,
    spool,
    measuring,
    setUp: model.run,
    showError,
    showLog: () => log.show(),
  });
  const panel = new PanelHost(context, actions, log);

  const offerJudge = async (): Promise<void> => {
    if (client.state.kind === 'connected' && (await judge.changed())) await client.reconnect();
  };
  const render = (): void => {
    statusBar.render(client);
    panel.render();
    walkthrough.tell(client, model.state());
  };
  const gateway = () => client.request(editorRequests.gateway, {});
  const copy = async (what: 'url' | 'key'): Promise<void> => {
    try {
      await env.clipboard.writeText((await gateway())[what]);
      const said = what === 'url' ? l10n.t('gateway URL copied') : l10n.t('gateway key copied');
      window.setStatusBarMessage(`Apprentice: ${said}`, 3_000);
    } catch (error) {
      await showError(error);
    }
  };
  const commandHandlers: Record<string, (...args: unknown[]) => unknown> = {
    ...edits.handlers,
    'apprentice.writeCommitMessage': (argument) => write(argument),
    'apprentice.writeAmendMessage': (argument) => write(argument, 'amend'),
    'apprentice.stopWriting': () => writer?.stop(),
    'apprentice.thumbUp': (argument) => thumbs.rateLatest(argument, 1),
    'apprentice.thumbDown': (argument) => thumbs.rateLatest(argument, -1),
    'apprentice.openPanel': () => panel.openInEditor(),
    'apprentice.openChat': openChat,
    'apprentice.setUpRuntime': () => model.confirm(),
    'apprentice.connectWorker': () => remoteWorker.connect(client).catch(showError),
    'apprentice.useLocalWorker': () => remoteWorker.disconnect(client).catch(showError),
    'apprentice.showLog': () => log.show(),
    [MENU_COMMAND]: () => showQuickMenu({ client, consent, runtime, showError }),
    'apprentice.manageAllowedCommands': () => manageAllowedCommands(allowed),
    'apprentice.connectAgent': () => connectAgent(gateway).catch(showError),
    'apprentice.copyGatewayUrl': () => copy('url'),
    'apprentice.copyGatewayKey': () => copy('key'),
  };
  context.subscriptions.push(
    client,
    runtime,
    latest,
    hunks,
    ignored,
    scrubber,
    edits,
    new ThumbLenses(hunks, thumbs),
    gitParts,
    panel,
    measuring,
    measuring.onDidChange(() => panel.render()),
    models,
    models.onDidChangeLanguageModelChatInformation(() => modelsChanged.fire()),
    runtime.onDidChange(render),
    workspace.onDidGrantWorkspaceTrust(render),
    workspace.onDidChangeConfiguration((event) => {
      const serverHas = ['home', 'python', 'model', 'worker', 'judge'];
      const concerned = serverHas.some((key) => event.affectsConfiguration(`apprentice.${key}`));
      if (concerned && client.state.kind !== 'idle') void client.reconnect();
      if (event.affectsConfiguration('apprentice.judge')) void judge.askConsent().catch(showError);
    }),
    context.languageModelAccessInformation.onDidChange(offerJudge),
    lm.onDidChangeChatModels(offerJudge),
    client.onDidChange(() => {
      render();
      void consent.remember();
      if (client.state.kind === 'connected' && client.learning === 'on') void spool.flush();
    }),
  );
  void remoteWorker.line().then(render);
  const chat = chatHandlers({
    client,
    ready,
    askConsent: () => consent.ask(),
    writeCommitMessage: writeFromChat,
    rate: (turnId, value) => thumbs.rate(turnId, value),
    scrub,
    mayCapture: (path) => ignored.mayCapture(path),
    agent: {
      mayCapture: (paths) => ignored.mayCaptureAll(paths),
      scrub,
      propose: (document, edit) => edits.propose(document, edit),
      reviewedHere: (turnId) => hunks.reviewedHere(turnId),
      runs: runs.agentRuns,
      allowed,
    },
  });
  return { commandHandlers, panel, models, chat, connect: () => client.start() };
}
