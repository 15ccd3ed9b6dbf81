/** Runs a command once the user has said yes; what it showed goes back to the model and is captured as a run. */
import { basename } from 'node:path';
import { l10n, workspace } from 'vscode';
import { z } from 'zod';
import type { AgentRuns } from '../../capture/runs/agent-runs.ts';
import { cutMiddle } from '../../capture/runs/kept-text.ts';
import type { AllowedCommands } from '../allowed-commands.ts';
import { mayRun } from '../confirm-command.ts';
import { runInShell, type ShellRun } from '../shell-run.ts';
import { codeBlock, inlineCode, plainWords } from '../shown-text.ts';
import { type AgentTool, type CallContext, defineTool, ToolError } from '../tool.ts';
import type { WorkspaceFiles } from '../workspace-files.ts';

export interface RunParts {
  readonly files: WorkspaceFiles;
  readonly allowed: AllowedCommands;
  readonly runs: AgentRuns;
}

/** A longer one is no command that a person can read before they say yes. */
const MAX_COMMAND_CHARS = 2_000;
/** Of a longer output the user is shown the end. */
const SHOWN_LINES = 15;

/** Arguments that the tests take as well. */
export const folder = z.string().optional().describe('Name of a workspace folder, where there are several');
export const command = z.string().min(1).max(MAX_COMMAND_CHARS);
const CommandArgs = z.object({ command: command.describe('A command line for the shell'), folder });
export function runCommandTool(parts: RunParts): AgentTool {
  return defineTool(
    'run_command',
    'Runs a command in the workspace folder, after the user has said yes. It gets no input and ends within 5 minutes.',
    CommandArgs,
    (args, call) => run(parts, 'terminal', args.command, parts.files.folder(args.folder).path, call),
  );
}

/** `kind`: as what it is told (capture/runs). */
export async function run(
  { allowed, runs }: RunParts,
  kind: 'terminal' | 'test_run',
  commandLine: string,
  cwd: string,
  call: CallContext,
): Promise<string> {
  const { stream, signal, maxChars } = call;
  if (!workspace.isTrusted)
    throw new ToolError('Nothing is run in a workspace that the user has not trusted.');
  const shown = inlineCode(commandLine);
  if (!(await mayRun(allowed, { folder: cwd, command: commandLine }, basename(cwd), signal))) {
    stream.markdown(`\n\n${l10n.t('Not run: {0}', shown)}\n\n`);
    return 'Error: the user does not want this command to be run.';
  }
  stream.progress(l10n.t('Running {0}', plainWords(commandLine)));
  const began = runs.begin(kind, commandLine, cwd);
  const ran = await runInShell(commandLine, cwd, signal);
  if (ran.ended === 'stopped') signal.throwIfAborted();
  // One that was ended says nothing of the work.
  if (ran.ended === 'itself') await began.ended(ran);
  stream.markdown(`\n\n${headline(ran, shown)}\n${codeBlock(lastLines(ran.output))}\n`);
  return resultOf(ran, maxChars);
}

function headline({ exitCode, ended }: ShellRun, shown: string): string {
  if (ended !== 'itself') return l10n.t('{0} took too long and was ended.', shown);
  return l10n.t('{0} ended with exit code {1}.', shown, exitCode ?? 0);
}

function resultOf({ exitCode, output, ended }: ShellRun, maxChars: number): string {
  const text = cutMiddle(output, maxChars);
  if (ended !== 'itself') return `Error: it took longer than 5 minutes and was ended. It showed:\n${text}`;
  return exitCode === 0 ? text || 'It showed nothing, and succeeded.' : `${text}\nexit code: ${exitCode}`;
}

function lastLines(output: string): string {
  return output.trimEnd().split('\n').slice(-SHOWN_LINES).join('\n');
}
