/** What the exit code of a command line means. */

/** An exit code of 1 is the answer to a question: not found, different, false. */
const ANSWERS: ReadonlySet<string> = new Set(
  'grep egrep fgrep zgrep rg ag ack diff cmp colordiff sdiff test [ [[ which type pgrep pidof expr let false'.split(
    ' ',
  ),
);
const GIT_ANSWERS: ReadonlySet<string> = new Set(['grep', 'diff', 'merge-base', 'show-ref', 'check-ignore']);
/** What somebody does to look around, or to get a shell ready, says nothing of an agent's work, however it ends. */
const LOOKING: ReadonlySet<string> = new Set(
  'source . export alias cd ls dir pwd cat head tail less more man help file stat tree find du df ps top htop kill pkill killall sleep watch echo printf history clear exit open code vi vim nvim nano emacs ssh ping fg bg jobs git gh sudo su'.split(
    ' ',
  ),
);
/** In front of the command proper. */
const WRAPPERS: ReadonlySet<string> = new Set([
  'time',
  'nice',
  'nohup',
  'env',
  'command',
  'exec',
  'builtin',
  '!',
]);
const MAX_CHARS = 4_000;

/** Does all of it only look around? Whoever watches what is run need not read it. */
export function looksAround(commandLine: string): boolean {
  return listsOf(commandLine.slice(0, MAX_CHARS))
    .flat()
    .every((stages) => isLook(wordsOf(stages.at(-1) ?? '')));
}

/** `source`: who ran it. An agent's own command that fails is its failure, unless it asked a question. */
export function exitCodeMeans(
  commandLine: string,
  exitCode: number,
  source: 'user' | 'agent',
): 'verdict' | 'answer' {
  const pipelines = listsOf(commandLine.slice(0, MAX_CHARS)).at(-1) ?? [];
  const commands = pipelines.map((stages) => wordsOf(stages.at(-1) ?? ''));
  // Of `a && b` any may have ended it: one that answers is enough for doubt.
  if (exitCode === 1 && commands.some(isQuestion)) return 'answer';
  if (source === 'user' && commands.every(isLook)) return 'answer';
  return 'verdict';
}

function isLook([name = '']: readonly string[]): boolean {
  return LOOKING.has(name) || ANSWERS.has(name);
}

function isQuestion([name = '', ...rest]: readonly string[]): boolean {
  if (name === 'git') return GIT_ANSWERS.has(rest.find((word) => !word.startsWith('-')) ?? '');
  return ANSWERS.has(name);
}

/** The words of one command without assignments and wrappers; the command by its bare name. */
function wordsOf(command: string): string[] {
  const words = command.trim().split(/\s+/);
  while (words.length > 1 && (WRAPPERS.has(words[0] ?? '') || /^\w+=/.test(words[0] ?? ''))) words.shift();
  const [first = '', ...rest] = words;
  return [first.replace(/^.*[/\\]/, '').replace(/\.exe$/i, ''), ...rest];
}

/** The lists parted by `;` or newline, of pipelines parted by `&&` and `||`, each as its stages. Quotes are kept whole. */
function listsOf(line: string): string[][][] {
  const lists: string[][][] = [[['']]];
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? '';
    const two = line.slice(at, at + 2);
    const list = lists.at(-1) ?? [];
    const pipeline = list.at(-1) ?? [];
    if (quote === '' && (char === ';' || char === '\n')) lists.push([['']]);
    else if (quote === '' && (two === '&&' || two === '||')) {
      list.push(['']);
      at++;
    } else if (quote === '' && char === '|') pipeline.push('');
    else {
      if (quote === char) quote = '';
      else if (quote === '' && (char === '"' || char === "'")) quote = char;
      pipeline[pipeline.length - 1] += char;
    }
  }
  return lists.filter((list) => list.flat().some((stage) => stage.trim() !== ''));
}
