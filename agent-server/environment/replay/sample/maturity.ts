/** Chapter 4 of the sample history: colour, fixes from use, and documentation. The held-out commits lie here. */
import { append, botCommit, commit, create, merge, replace, type Step } from './edits.ts';

export const maturity: readonly Step[] = [
  commit(
    'feat(color): add bold and red text',
    create(
      'tidytext/color.py',
      `CODES = {"bold": 1, "red": 31}


def paint(text: str, style: str) -> str:
    return f"\\x1b[{CODES[style]}m{text}\\x1b[0m"
`,
    ),
  ),
  commit(
    'feat(color): add green and yellow text',
    replace('tidytext/color.py', '"red": 31}', '"red": 31, "green": 32, "yellow": 33}'),
  ),
  commit(
    'fix(color): leave text plain for an unknown style',
    replace(
      'tidytext/color.py',
      '    return f',
      `    if style not in CODES:
        return text
    return f`,
    ),
  ),
  commit(
    'refactor(dates): move the day names to a constant',
    replace('tidytext/dates.py', '    names = {-1: "yesterday", 0: "today", 1: "tomorrow"}\n', ''),
    replace('tidytext/dates.py', 'names.get(', 'NAMES.get('),
    replace(
      'tidytext/dates.py',
      'def day_name(',
      `NAMES = {-1: "yesterday", 0: "today", 1: "tomorrow"}


def day_name(`,
    ),
  ),
  commit(
    'test(dates): cover tomorrow',
    create(
      'tests/test_dates.py',
      `from datetime import date

from tidytext.dates import day_name


def test_tomorrow():
    assert day_name(date(2024, 5, 2), date(2024, 5, 1)) == "tomorrow"
`,
    ),
  ),
  commit(
    'fix(units): use one kilobyte as 1000 bytes',
    replace(
      'tidytext/units.py',
      '    if size < 1024:\n        return f"{size:.0f} B"\n    size /= 1024\n',
      '    if size < 1000:\n        return f"{size:.0f} B"\n    size /= 1000\n',
    ),
    replace(
      'tidytext/units.py',
      '        if size < 1024:\n            return f"{size:.1f} {unit}"\n        size /= 1024\n',
      '        if size < 1000:\n            return f"{size:.1f} {unit}"\n        size /= 1000\n',
    ),
  ),
  merge(
    'hours',
    commit(
      'feat(units): show hours in durations',
      replace(
        'tidytext/units.py',
        '    return f"{minutes}m {seconds}s"\n',
        `    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m {seconds}s"
    return f"{minutes}m {seconds}s"
`,
      ),
    ),
  ),
  commit(
    'feat(table): align numbers to the right',
    replace(
      'tidytext/table.py',
      '        cells = [cell.ljust(width) for cell, width in zip(row, widths)]\n',
      `        cells = [
            cell.rjust(width) if cell.isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths)
        ]
`,
    ),
  ),
  commit(
    'docs(readme): list the commands',
    append(
      'README.md',
      `
## Commands

    tidytext "A title"    print the slug of a title
`,
    ),
  ),
  commit(
    'fix(cli): exit with an error for an empty title',
    replace(
      'tidytext/cli.py',
      '    print(slugify(parser.parse_args().title or sys.stdin.read()))\n',
      `    title = parser.parse_args().title or sys.stdin.read()
    if not title.strip():
        sys.exit("tidytext: the title is empty")
    print(slugify(title))
`,
    ),
  ),
  commit(
    'feat(cache): add a clear method',
    append(
      'tidytext/cache.py',
      `
    def clear(self) -> None:
        self.items.clear()
`,
    ),
  ),
  botCommit(
    'Bump actions/checkout from 4 to 5',
    replace('.github/workflows/ci.yml', 'actions/checkout@v4', 'actions/checkout@v5'),
  ),
  commit(
    'fix(parser): report a pair without a key',
    replace(
      'tidytext/parser.py',
      '        pairs[key',
      `        if not key.strip():
            raise ValueError(f"missing key in {part!r}")
        pairs[key`,
    ),
  ),
  commit(
    'test(parser): cover blank parts',
    append(
      'tests/test_parser.py',
      `

def test_blank_parts_are_skipped():
    assert parse_pairs("a=1,,b=2") == {"a": "1", "b": "2"}
`,
    ),
  ),
  commit(
    'perf(cache): use an ordered dict',
    replace('tidytext/cache.py', 'class Cache:', 'from collections import OrderedDict\n\n\nclass Cache:'),
    replace('tidytext/cache.py', 'dict[str, str] = {}', 'OrderedDict[str, str] = OrderedDict()'),
    replace('tidytext/cache.py', 'self.items.pop(next(iter(self.items)))', 'self.items.popitem(last=False)'),
  ),
  commit('chore(release): 0.5.0', replace('pyproject.toml', 'version = "0.4.0"', 'version = "0.5.0"')),
  commit(
    'feat(slug): accept a custom separator',
    replace('tidytext/slug.py', 'max_length: int = 80)', 'max_length: int = 80, separator: str = "-")'),
    replace(
      'tidytext/slug.py',
      'return "-".join(words)[:max_length].rstrip("-")',
      'return separator.join(words)[:max_length].rstrip(separator)',
    ),
  ),
  commit(
    'fix(dates): treat a datetime as its day',
    replace('tidytext/dates.py', 'from datetime import date\n', 'from datetime import date, datetime\n'),
    replace(
      'tidytext/dates.py',
      '    days = (day',
      `    if isinstance(day, datetime):
        day = day.date()
    days = (day`,
    ),
  ),
  commit(
    'refactor(color): extract the reset code',
    replace('tidytext/color.py', 'CODES = ', 'RESET = "\\x1b[0m"\nCODES = '),
    replace('tidytext/color.py', '{text}\\x1b[0m"', '{text}{RESET}"'),
  ),
  commit(
    'docs(units): describe the sizes',
    replace(
      'tidytext/units.py',
      'def format_size(size: float) -> str:\n',
      `def format_size(size: float) -> str:
    """A size in bytes as people read it, with one decimal from KB on."""
`,
    ),
  ),
  commit(
    'feat(wrap): add an indent for later lines',
    replace('tidytext/wrap.py', 'width: int = 72)', 'width: int = 72, indent: str = "")'),
    replace(
      'tidytext/wrap.py',
      '    return lines\n',
      '    return [lines[0], *(indent + line for line in lines[1:])]\n',
    ),
  ),
  commit(
    'chore(ci): check the formatting',
    replace(
      '.github/workflows/ci.yml',
      '      - run: pytest -q\n',
      `      - run: pytest -q
      - run: ruff format --check
`,
    ),
    replace('.github/workflows/ci.yml', 'pip install pytest\n', 'pip install pytest ruff\n'),
  ),
];
