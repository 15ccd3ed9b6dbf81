/**
 * A small repository with a history of its own, for a replay that has no better one at hand: made with real
 * git commands, the same commits with the same ids every time. What the history says is data, in `sample/`.
 */
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type SimpleGit, simpleGit } from 'simple-git';
import { ApprenticeError } from '../../protocol/errors.ts';
import { beginnings } from './sample/beginnings.ts';
import { commandLine } from './sample/command-line.ts';
import type { Edit, Step } from './sample/edits.ts';
import { maturity } from './sample/maturity.ts';
import { tables } from './sample/tables.ts';

const HISTORY: readonly Step[] = [...beginnings, ...tables, ...commandLine, ...maturity];

/** Inside .git, so that it is no part of the work tree. */
const MARKER = join('.git', 'apprentice-sample');
const AUTHORS = {
  maintainer: { name: 'Mira Halloran', email: 'mira@tidytext.example' },
  bot: { name: 'dependabot[bot]', email: '49699333+dependabot[bot]@users.noreply.github.com' },
} as const;
const FIRST_COMMIT_MS = Date.parse('2024-03-04T09:00:00Z');
const BETWEEN_COMMITS_MS = 7 * 3_600_000 + 1_000_000;

/**
 * Makes the sample repository in `folder` unless a complete one is there already; it appears by rename, so an
 * interrupted attempt leaves none. Returns `folder`.
 */
export async function ensureSampleRepository(folder: string): Promise<string> {
  if (await isComplete(folder)) return folder;
  const workFolder = `${folder}.making`;
  await rm(workFolder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
  await mkdir(workFolder, { recursive: true });
  const writer = new HistoryWriter(workFolder);
  await writer.begin();
  for (const step of HISTORY) await writer.apply(step);
  await writeFile(join(workFolder, MARKER), historySha256());
  await rename(workFolder, folder);
  return folder;
}

/** Whether an earlier call made it, from this very version of the history. */
async function isComplete(folder: string): Promise<boolean> {
  try {
    return (await readFile(join(folder, MARKER), 'utf8')) === historySha256();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

function historySha256(): string {
  return createHash('sha256').update(JSON.stringify(HISTORY)).digest('hex');
}

class HistoryWriter {
  private readonly folder: string;
  private commitCount = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  async begin(): Promise<void> {
    await this.git('maintainer').raw(['init', '--quiet', '--initial-branch=main']);
    // Kept in the repository, so that whoever looks into it later gets the same bytes and no signing prompt.
    for (const [key, value] of [
      ['core.autocrlf', 'false'],
      ['commit.gpgsign', 'false'],
      ['user.name', AUTHORS.maintainer.name],
      ['user.email', AUTHORS.maintainer.email],
    ] as const) {
      await this.git('maintainer').raw(['config', key, value]);
    }
  }

  async apply(step: Step): Promise<void> {
    switch (step.kind) {
      case 'commit':
        for (const edit of step.edits) await applyEdit(this.folder, edit);
        // Commands that print: simple-git waits 50 ms after one that does not.
        await this.git(step.author).raw(['add', '--all', '--verbose']);
        await this.git(step.author).raw(['commit', '--message', step.message]);
        break;
      case 'merge':
        await this.git('maintainer').raw(['checkout', '--quiet', '-b', step.branch]);
        for (const inner of step.commits) await this.apply(inner);
        await this.git('maintainer').raw(['checkout', '--quiet', 'main']);
        await this.git('maintainer').raw([
          'merge',
          '--quiet',
          '--no-ff',
          '--message',
          `Merge branch '${step.branch}'`,
          step.branch,
        ]);
        await this.git('maintainer').raw(['branch', '--quiet', '--delete', step.branch]);
        break;
      case 'revert':
        await this.git('maintainer').raw(['revert', '--no-edit', 'HEAD']);
        break;
    }
    this.commitCount += 1;
  }

  /** Git as this author at this point in the history, deaf to the user's own configuration and hooks. */
  private git(author: keyof typeof AUTHORS): SimpleGit {
    const { name, email } = AUTHORS[author];
    const date = new Date(FIRST_COMMIT_MS + this.commitCount * BETWEEN_COMMITS_MS).toISOString();
    const env = {
      PATH: process.env['PATH'],
      SYSTEMROOT: process.env['SYSTEMROOT'],
      GIT_CONFIG_GLOBAL: process.platform === 'win32' ? 'NUL' : '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: name,
      GIT_AUTHOR_EMAIL: email,
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: name,
      GIT_COMMITTER_EMAIL: email,
      GIT_COMMITTER_DATE: date,
    };
    const options = { allowEnvironment: Object.keys(env), unsafe: { allowUnsafeConfigPaths: true } };
    return simpleGit(this.folder, options).env(env);
  }
}

async function applyEdit(folder: string, edit: Edit): Promise<void> {
  const file = join(folder, edit.path);
  switch (edit.kind) {
    case 'create':
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, edit.text, { flag: 'wx' });
      return;
    case 'append':
      await appendFile(file, edit.text);
      return;
    case 'replace': {
      const text = await readFile(file, 'utf8');
      const parts = text.split(edit.old);
      if (parts.length !== 2) {
        throw new ApprenticeError(
          'internal',
          `The sample history wants to replace ${JSON.stringify(edit.old)} in ${edit.path}, which holds it ${parts.length - 1} times.`,
          'Mend the edit in agent-server/environment/replay/sample.',
        );
      }
      await writeFile(file, parts.join(edit.new));
      return;
    }
  }
}
