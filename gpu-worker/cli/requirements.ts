/** The versions of Python packages that the worker is made for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pythonFolder } from '../python-process.ts';

/** Package to the versions that a file of requirements pins, one a Python version. */
export function pinned(file: string): Map<string, string[]> {
  const wanted = new Map<string, string[]>();
  for (const line of readFileSync(join(pythonFolder(), file), 'utf8').split('\n')) {
    const match = /^([\w-]+)==([^\s;]+)/.exec(line);
    if (match?.[1] && match[2]) wanted.set(match[1], [...(wanted.get(match[1]) ?? []), match[2]]);
  }
  return wanted;
}
