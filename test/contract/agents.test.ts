/**
 * Real agents, each set up by just what "Connect Another Agent…" gives for it, against a real gateway with a scripted
 * engine. An agent that is not on the PATH is skipped by name: none of them is small enough to install for a test.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { agents } from '../../extension/connect/agents.ts';
import { realTokenizerFiles } from '../fakes/in-process-engine.ts';
import { HERMES_TEMPLATE } from '../fixtures/chat-templates.ts';
import { gatewayFixture, TOKEN } from '../fixtures/gateway.ts';

const RUN_LIMIT_MS = 120_000;
const ANSWER = 'The kettle is on.';
/** Longer than any of their instructions. */
const CONTEXT_TOKENS = 200_000;

/** How to ask each agent one thing without a person. `lines`: those that its snippet has for a terminal. */
const HEADLESS: Record<string, { program: string; client: string; ask: (lines: string[]) => string[] }> = {
  codex: {
    program: 'codex',
    client: 'Codex CLI',
    ask: (lines) => last(lines, (codex) => `${codex} exec --skip-git-repo-check 'Say how it stands.'`),
  },
  opencode: {
    program: 'opencode',
    client: 'OpenCode',
    ask: () => ["opencode run --model apprentice/apprentice 'Say how it stands.'"],
  },
  cline: {
    program: 'cline',
    client: 'Cline',
    ask: (lines) => [...lines, "cline --plan 'Say how it stands.'"],
  },
  aider: {
    program: 'aider',
    client: 'Aider',
    ask: (lines) =>
      last(
        lines,
        (aider) => `${aider} --no-git --no-check-update --yes-always --message 'Say how it stands.'`,
      ),
  },
  'claude-code': {
    program: 'claude',
    client: 'Claude Code',
    ask: (lines) => last(lines, (claude) => `${claude} --print 'Say how it stands.'`),
  },
};

for (const [id, { program, client, ask }] of Object.entries(HEADLESS)) {
  test(`CONNECT-2: ${program}, set up by its snippet, is answered, and its turn bears its name`, {
    skip: isThere(program) ? false : `${program} is not installed here`,
  }, async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'apprentice-agent-'));
    t.after(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));
    const files = { ...realTokenizerFiles(CONTEXT_TOKENS), chatTemplate: HERMES_TEMPLATE };
    const fixture = await gatewayFixture({ files });
    t.after(() => fixture.close());
    fixture.engine.reply = ANSWER;

    const agent = agents((message) => message).find((one) => one.id === id);
    assert.ok(agent);
    const { file, text } = agent.snippet({ url: fixture.gateway.url, key: TOKEN }, 'posix');
    if (file !== null) save(home, file, text);
    const lines =
      file === null ? text.trimEnd().split('\n') : [...text.matchAll(/^# {3}(.*)$/gm)].map(firstGroup);
    const work = join(home, 'work');
    mkdirSync(work);
    const environment = { ...process.env, HOME: home, XDG_CONFIG_HOME: '', CI: '1', NO_COLOR: '1' };
    const output = await promisify(execFile)('sh', ['-c', `exec </dev/null; ${ask(lines).join('\n')}`], {
      cwd: work,
      env: environment,
      timeout: RUN_LIMIT_MS,
      maxBuffer: 16 * 1024 * 1024,
    }).catch((error: unknown) => {
      throw new Error(`${program} failed: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    });
    const turns = fixture.store.panelTurns(50);
    const told = JSON.stringify({
      output,
      turns: turns.map((turn) => [turn.client, turn.takenFor, turn.proposal]),
    });
    assert.ok(`${output.stdout}${output.stderr}`.includes(ANSWER), told);
    assert.ok(
      turns.some((turn) => turn.client === client && turn.takenFor === 'main'),
      told,
    );
  });
}

function firstGroup([, first = '']: RegExpExecArray): string {
  return first;
}

/** The last line, which starts the agent, made into another. */
function last(lines: readonly string[], make: (line: string) => string): string[] {
  return [...lines.slice(0, -1), make(lines.at(-1) ?? '')];
}

function save(home: string, file: string, text: string): void {
  const path = file.replace(/^~/, home);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function isThere(program: string): boolean {
  if (process.platform === 'win32') return false;
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
