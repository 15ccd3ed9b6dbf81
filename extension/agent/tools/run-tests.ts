/** Runs the tests: a command (run-command.ts) that is told as a test run, and that may be found out here. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type AgentTool, defineTool, ToolError } from '../tool.ts';
import { command, folder, type RunParts, run } from './run-command.ts';

const Args = z.object({
  command: command.optional().describe('The command that runs the tests; without it the usual one'),
  folder,
});

/** What runs the tests of a folder that has this file; the first that is there. */
const USUAL: readonly (readonly [string, string])[] = [
  ['package.json', 'npm test'],
  ['Cargo.toml', 'cargo test'],
  ['go.mod', 'go test ./...'],
  ['pyproject.toml', 'python -m pytest'],
  ['pytest.ini', 'python -m pytest'],
  ['setup.cfg', 'python -m pytest'],
];

export function runTestsTool(parts: RunParts): AgentTool {
  const what = 'Runs the tests of the workspace folder, after the user has said yes.';
  return defineTool('run_tests', what, Args, async (args, call) => {
    const { path } = parts.files.folder(args.folder);
    return run(parts, 'test_run', args.command ?? (await usualTests(path)), path, call);
  });
}

async function usualTests(path: string): Promise<string> {
  for (const [file, usual] of USUAL) {
    const there = await access(join(path, file)).then(
      () => true,
      () => false,
    );
    if (there) return usual;
  }
  throw new ToolError('How the tests are run is not known here: give the command.');
}
