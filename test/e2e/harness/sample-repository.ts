/** A small real git repository, with changes to stage, made by real git commands. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface SampleRepository {
  root: string;
  git: (...args: string[]) => string;
  write: (path: string, text: string) => void;
}

export function makeRepository(root: string, env: NodeJS.ProcessEnv): SampleRepository {
  mkdirSync(root, { recursive: true });
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: root, env, encoding: 'utf8', timeout: 20_000 }).trim();
  const write = (path: string, text: string): void => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  git('init', '--quiet', '--initial-branch=main');
  git('config', 'user.name', 'Sam Sample');
  git('config', 'user.email', 'sam@example.org');
  write('README.md', '# Till\n\nAdds up what is in the basket.\n');
  write(
    'src/total.js',
    'export function total(prices) {\n  return prices.reduce((sum, price) => sum + price, 0);\n}\n',
  );
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Start with a total');
  return { root, git, write };
}
