/** Next states in words for a judge: what a person would be shown of each. Fencing them is prompt.ts's. */
import type { Diagnostic, Observation } from '../protocol/observations.ts';

/** One next state as plain text, its kind first. All of it is untrusted. */
export function nextStateText(observation: Observation): string {
  return `${TITLES[observation.kind]}\n${bodyOf(observation)}`.trim();
}

const TITLES = {
  commit: 'The user committed with this message:',
  thumb: 'The user rated the answer:',
  proposal_closed: 'The answer was put away:',
  user_reply: 'The user said next:',
  user_edit: 'The answer as the user left it:',
  patch_review: 'The user reviewed the change:',
  terminal: 'A command ran in the terminal:',
  task: 'A task ran:',
  test_run: 'The tests ran:',
  diagnostics: 'Diagnostics of the changed lines:',
  tool_result: 'A tool that the answer called returned:',
  git: 'Git did this to the changed files:',
  screen: 'The screen afterwards:',
} as const satisfies Record<Observation['kind'], string>;

const THUMBS = { 1: 'up', 0: 'neither up nor down', [-1]: 'down' } as const;

function bodyOf(observation: Observation): string {
  switch (observation.kind) {
    case 'commit':
      return observation.message;
    case 'thumb':
      return lines(THUMBS[observation.value], observation.words, observation.rewrite);
    case 'proposal_closed':
      return observation.reason;
    case 'user_reply':
    case 'screen':
      return observation.text;
    case 'user_edit':
      return lines(
        `looked at: ${observation.moment}`,
        observation.survival === null ? null : `share of its lines still there: ${observation.survival}`,
        observation.text,
        ...observation.edits.map(({ edit, text }) =>
          text === null || text === ''
            ? `edit ${edit + 1}: ${text === null ? 'as proposed' : 'gone'}`
            : `edit ${edit + 1} as it was committed:\n${text}`,
        ),
      );
    case 'patch_review':
      return lines(
        observation.hunk === null
          ? observation.decision
          : `hunk ${observation.hunk.index + 1} of ${observation.hunk.count}: ${observation.decision}`,
        observation.comment,
        observation.text,
      );
    case 'terminal':
      return lines(`$ ${observation.commandLine}`, exit(observation.exitCode), observation.output);
    case 'task':
      return lines(observation.name, exit(observation.exitCode), observation.output);
    case 'test_run':
      return lines(exit(observation.exitCode), observation.output);
    case 'diagnostics':
      return lines(
        ...observation.appeared.map((one) => `new: ${diagnostic(one)}`),
        ...observation.vanished.map((one) => `gone: ${diagnostic(one)}`),
      );
    case 'tool_result':
      return lines(
        `tool: ${observation.toolName}`,
        observation.isError === true ? 'it reports an error' : null,
        observation.text,
      );
    case 'git':
      return lines(
        observation.action,
        observation.paths.join('\n'),
        observation.survival === null
          ? null
          : `share of the changed lines still there: ${observation.survival}`,
      );
  }
}

function diagnostic({ path, line, severity, source, code, message }: Diagnostic): string {
  const place = line === null ? path : `${path}:${line}`;
  return `${place} ${severity} ${source}${code === null ? '' : ` ${code}`}: ${message}`;
}

function exit(code: number | null): string | null {
  return code === null ? null : `exit code ${code}`;
}

function lines(...parts: (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== '').join('\n');
}
