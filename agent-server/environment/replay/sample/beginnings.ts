/** Chapter 1 of the sample history: the library begins with slugs, wrapping and a parser. */
import { append, botCommit, commit, create, replace, type Step } from './edits.ts';

export const beginnings: readonly Step[] = [
  commit(
    'chore(project): add package metadata',
    create(
      'pyproject.toml',
      `[project]
name = "tidytext"
version = "0.1.0"
description = "Small helpers for text that people read"
requires-python = ">=3.10"
dependencies = []
`,
    ),
    create('tidytext/__init__.py', '"""Small helpers for text that people read."""\n'),
  ),
  commit(
    'feat(slug): add slugify',
    create(
      'tidytext/slug.py',
      `import re


def slugify(title: str) -> str:
    words = re.findall("[a-z0-9]+", title.lower())
    return "-".join(words)
`,
    ),
  ),
  commit(
    'test(slug): cover punctuation in titles',
    create(
      'tests/test_slug.py',
      `from tidytext.slug import slugify


def test_punctuation_is_dropped():
    assert slugify("Hello, World!") == "hello-world"
`,
    ),
  ),
  commit(
    'docs(readme): explain what the library is for',
    create(
      'README.md',
      `# tidytext

Small helpers for text that people read: slugs, wrapping, tables, dates.
`,
    ),
  ),
  commit(
    'feat(wrap): add word wrapping',
    create(
      'tidytext/wrap.py',
      `def wrap(text: str, width: int = 72) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
`,
    ),
  ),
  commit(
    'fix(wrap): return no lines for empty text',
    replace(
      'tidytext/wrap.py',
      '    lines = [""]\n',
      `    if not text.strip():
        return []
    lines = [""]
`,
    ),
  ),
  commit(
    'feat(slug): add a maximum length',
    replace(
      'tidytext/slug.py',
      `def slugify(title: str) -> str:
    words = re.findall("[a-z0-9]+", title.lower())
    return "-".join(words)
`,
      `def slugify(title: str, max_length: int = 80) -> str:
    words = re.findall("[a-z0-9]+", title.lower())
    return "-".join(words)[:max_length]
`,
    ),
  ),
  commit(
    'fix(slug): strip the hyphen left by cutting',
    replace('tidytext/slug.py', '[:max_length]', '[:max_length].rstrip("-")'),
  ),
  commit(
    'chore(ci): run the tests on every push',
    create(
      '.github/workflows/ci.yml',
      `name: ci
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v3
      - run: pip install pytest
      - run: pytest -q
`,
    ),
  ),
  commit(
    'feat(parser): add key and value parsing',
    create(
      'tidytext/parser.py',
      `def parse_pairs(line: str) -> dict[str, str]:
    pairs = {}
    for part in line.split(","):
        key, value = part.split("=")
        pairs[key.strip()] = value.strip()
    return pairs
`,
    ),
  ),
  botCommit(
    'Bump actions/checkout from 3 to 4',
    replace('.github/workflows/ci.yml', 'actions/checkout@v3', 'actions/checkout@v4'),
  ),
  commit(
    'fix(parser): handle empty input',
    replace(
      'tidytext/parser.py',
      '    pairs = {}\n',
      `    pairs = {}
    if not line:
        return pairs
`,
    ),
  ),
  commit(
    'fix(parser): allow equals signs in values',
    replace('tidytext/parser.py', 'part.split("=")', 'part.split("=", 1)'),
  ),
  commit(
    'test(parser): cover values with equals signs',
    create(
      'tests/test_parser.py',
      `from tidytext.parser import parse_pairs


def test_value_may_hold_an_equals_sign():
    assert parse_pairs("query=a=b") == {"query": "a=b"}
`,
    ),
  ),
  commit('chore(release): 0.2.0', replace('pyproject.toml', 'version = "0.1.0"', 'version = "0.2.0"')),
  commit(
    'docs(readme): add an install section',
    append(
      'README.md',
      `
## Install

    pip install tidytext
`,
    ),
  ),
];
