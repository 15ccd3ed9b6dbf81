/** Chapter 2 of the sample history: tables and dates arrive. */
import { append, commit, create, merge, replace, revert, type Step } from './edits.ts';

export const tables: readonly Step[] = [
  commit(
    'feat(table): add plain text tables',
    create(
      'tidytext/table.py',
      `def format_table(rows: list[list[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        lines.append(" ".join(cells))
    return "\\n".join(lines)
`,
    ),
  ),
  commit(
    'fix(table): drop trailing spaces from rows',
    replace('tidytext/table.py', 'lines.append(" ".join(cells))', 'lines.append(" ".join(cells).rstrip())'),
  ),
  merge(
    'table-headers',
    commit(
      'feat(table): add header rows',
      replace(
        'tidytext/table.py',
        'def format_table(rows: list[list[str]]) -> str:\n',
        `def format_table(rows: list[list[str]], header: list[str] | None = None) -> str:
    if header:
        rows = [header, ["-" * len(name) for name in header], *rows]
`,
      ),
    ),
    commit(
      'test(table): cover header rows',
      create(
        'tests/test_table.py',
        `from tidytext.table import format_table


def test_header_is_underlined():
    assert format_table([["1"]], header=["n"]) == "n\\n-\\n1"
`,
      ),
    ),
  ),
  commit(
    'feat(dates): add relative day names',
    create(
      'tidytext/dates.py',
      `from datetime import date


def day_name(day: date, today: date) -> str:
    days = (day - today).days
    names = {-1: "yesterday", 0: "today", 1: "tomorrow"}
    return names.get(days, day.isoformat())
`,
    ),
  ),
  commit(
    'feat(dates): name the weekday within a week',
    replace(
      'tidytext/dates.py',
      '    return names.get(days, day.isoformat())\n',
      `    if 1 < days < 7:
        return day.strftime("%A")
    return names.get(days, day.isoformat())
`,
    ),
  ),
  commit(
    'refactor(parser): name the separators',
    replace(
      'tidytext/parser.py',
      'def parse_pairs(',
      `PAIR_SEPARATOR = ","
KEY_SEPARATOR = "="


def parse_pairs(`,
    ),
    replace('tidytext/parser.py', 'line.split(",")', 'line.split(PAIR_SEPARATOR)'),
    replace('tidytext/parser.py', 'part.split("=", 1)', 'part.split(KEY_SEPARATOR, 1)'),
  ),
  commit(
    'feat(table): cache column widths',
    replace(
      'tidytext/table.py',
      '    lines = []\n',
      `    CACHE[len(rows)] = widths
    lines = []
`,
    ),
    replace(
      'tidytext/table.py',
      'def format_table(',
      'CACHE: dict[int, list[int]] = {}\n\n\ndef format_table(',
    ),
  ),
  revert,
  commit(
    'perf(slug): compile the pattern once',
    replace(
      'tidytext/slug.py',
      'def slugify(',
      `WORD = re.compile("[a-z0-9]+")


def slugify(`,
    ),
    replace('tidytext/slug.py', 're.findall("[a-z0-9]+", title.lower())', 'WORD.findall(title.lower())'),
  ),
  commit(
    'docs(slug): describe the arguments',
    replace(
      'tidytext/slug.py',
      '    words = WORD',
      `    """Lower-case words of a title, joined by hyphens, at most max_length long."""
    words = WORD`,
    ),
  ),
  commit(
    'fix(wrap): reject a width below one',
    replace(
      'tidytext/wrap.py',
      '    if not text.strip():\n',
      `    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    if not text.strip():
`,
    ),
  ),
  commit(
    'test(wrap): cover long words',
    create(
      'tests/test_wrap.py',
      `from tidytext.wrap import wrap


def test_a_long_word_keeps_its_own_line():
    assert wrap("a incomprehensible b", width=5) == ["a", "incomprehensible", "b"]
`,
    ),
  ),
  commit(
    'fix(table): accept rows of unequal length',
    replace(
      'tidytext/table.py',
      'def format_table(',
      `from itertools import zip_longest


def format_table(`,
    ),
    replace(
      'tidytext/table.py',
      'for column in zip(*rows)]',
      'for column in zip_longest(*rows, fillvalue="")]',
    ),
  ),
  commit(
    'docs(readme): show a table example',
    append(
      'README.md',
      `
## Tables

    print(format_table([["1", "apples"]], header=["id", "name"]))
`,
    ),
  ),
  commit(
    'chore(ci): test on python 3.12',
    replace(
      '.github/workflows/ci.yml',
      '      - run: pip install pytest\n',
      `      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install pytest
`,
    ),
  ),
  commit('chore(release): 0.3.0', replace('pyproject.toml', 'version = "0.2.0"', 'version = "0.3.0"')),
];
