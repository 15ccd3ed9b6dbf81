/** Values as shells and YAML write them. Pure. */

export type Shell = 'posix' | 'powershell';

/** Lines that set variables for this terminal and then run the command. */
export function shellLines(shell: Shell, variables: Record<string, string>, command: string): string {
  const set = Object.entries(variables).map(([name, value]) =>
    shell === 'powershell'
      ? `$env:${name} = ${quoted(shell, value)}`
      : `export ${name}=${quoted(shell, value)}`,
  );
  return `${[...set, command].join('\n')}\n`;
}

/** A text of YAML: every JSON string is one. */
export function yamlText(value: string): string {
  return JSON.stringify(value);
}

/** Taken literally by the shell, whatever stands in it. */
function quoted(shell: Shell, value: string): string {
  return `'${value.replaceAll("'", shell === 'powershell' ? "''" : `'\\''`)}'`;
}
