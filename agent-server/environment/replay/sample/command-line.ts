/** Chapter 3 of the sample history: a command line, units and a cache. */
import { append, botCommit, commit, create, merge, replace, type Step } from './edits.ts';

export const commandLine: readonly Step[] = [
  commit(
    'feat(cli): add a slug command',
    create(
      'tidytext/cli.py',
      `import argparse

from tidytext.slug import slugify


def main() -> None:
    parser = argparse.ArgumentParser(prog="tidytext")
    parser.add_argument("title")
    print(slugify(parser.parse_args().title))
`,
    ),
  ),
  commit(
    'chore(project): register the command',
    append('pyproject.toml', '\n[project.scripts]\ntidytext = "tidytext.cli:main"\n'),
  ),
  commit(
    'feat(cli): add a width option',
    replace(
      'tidytext/cli.py',
      '    print(slugify',
      `    parser.add_argument("--width", type=int, default=72)
    print(slugify`,
    ),
  ),
  commit(
    'fix(cli): read the title from standard input',
    replace(
      'tidytext/cli.py',
      'import argparse\n',
      `import argparse
import sys
`,
    ),
    replace('tidytext/cli.py', 'add_argument("title")', 'add_argument("title", nargs="?")'),
    replace(
      'tidytext/cli.py',
      'print(slugify(parser.parse_args().title))',
      'print(slugify(parser.parse_args().title or sys.stdin.read()))',
    ),
  ),
  commit(
    'feat(units): format file sizes',
    create(
      'tidytext/units.py',
      `def format_size(size: float) -> str:
    for unit in ["B", "KB", "MB"]:
        if size < 1024:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
`,
    ),
  ),
  commit(
    'fix(units): show bytes without decimals',
    replace(
      'tidytext/units.py',
      '    for unit in ["B", "KB", "MB"]:\n',
      `    if size < 1024:
        return f"{size:.0f} B"
    size /= 1024
    for unit in ["KB", "MB"]:
`,
    ),
  ),
  merge(
    'durations',
    commit(
      'feat(units): format durations',
      append(
        'tidytext/units.py',
        `

def format_duration(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes}m {seconds}s"
`,
      ),
    ),
    commit(
      'test(units): cover durations',
      create(
        'tests/test_units.py',
        `from tidytext.units import format_duration


def test_minutes_and_seconds():
    assert format_duration(125) == "2m 5s"
`,
      ),
    ),
  ),
  botCommit(
    'Bump actions/setup-python from 5 to 6',
    replace('.github/workflows/ci.yml', 'actions/setup-python@v5', 'actions/setup-python@v6'),
  ),
  commit(
    'feat(cache): add a cache with a size limit',
    create(
      'tidytext/cache.py',
      `class Cache:
    def __init__(self, limit: int = 128) -> None:
        self.limit = limit
        self.items: dict[str, str] = {}

    def put(self, key: str, value: str) -> None:
        if len(self.items) >= self.limit:
            self.items.pop(next(iter(self.items)))
        self.items[key] = value
`,
    ),
  ),
  commit(
    'feat(cache): add get with a default',
    append(
      'tidytext/cache.py',
      `
    def get(self, key: str, default: str = "") -> str:
        return self.items.get(key, default)
`,
    ),
  ),
  commit(
    'fix(cache): keep other items when a key is replaced',
    replace(
      'tidytext/cache.py',
      'if len(self.items) >= self.limit:',
      'if key not in self.items and len(self.items) >= self.limit:',
    ),
  ),
  commit(
    'refactor(wrap): extract the line check',
    replace(
      'tidytext/wrap.py',
      'if len(lines[-1]) + len(word) + 1 > width:',
      'if not fits(lines[-1], word, width):',
    ),
    append(
      'tidytext/wrap.py',
      `

def fits(line: str, word: str, width: int) -> bool:
    return len(line) + len(word) + 1 <= width
`,
    ),
  ),
  commit(
    'fix(wrap): count no space before the first word',
    replace(
      'tidytext/wrap.py',
      'return len(line) + len(word) + 1 <= width',
      'return len(f"{line} {word}".strip()) <= width',
    ),
  ),
  commit(
    'docs(wrap): describe the width',
    replace(
      'tidytext/wrap.py',
      '    if width < 1:\n',
      `    """Lines of at most width characters; a longer word stands alone."""
    if width < 1:
`,
    ),
  ),
  commit(
    'perf(parser): skip blank parts early',
    replace(
      'tidytext/parser.py',
      '        key, value',
      `        if not part.strip():
            continue
        key, value`,
    ),
  ),
  commit(
    'test(cache): cover the size limit',
    create(
      'tests/test_cache.py',
      `from tidytext.cache import Cache


def test_oldest_item_is_dropped():
    cache = Cache(limit=1)
    cache.put("a", "1")
    cache.put("b", "2")
    assert cache.get("a") == ""
`,
    ),
  ),
  commit('chore(release): 0.4.0', replace('pyproject.toml', 'version = "0.3.0"', 'version = "0.4.0"')),
];
