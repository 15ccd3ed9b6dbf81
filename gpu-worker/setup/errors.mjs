/**
 * What can go wrong while setting up, in words a person can act on. Plain JavaScript, because it runs on the
 * oldest Node that is supported (20), before anything is installed; `ApprenticeError` needs a newer one.
 */

export class SetupError extends Error {
  /**
   * @param {string} message what happened, and to what
   * @param {string} remedy what to do about it
   * @param {ErrorOptions} [options]
   */
  constructor(message, remedy, options) {
    super(message, options);
    this.name = 'SetupError';
    /** @type {'setup_failed'} */
    this.code = 'setup_failed';
    this.remedy = remedy;
  }
}

const NETWORK_REMEDY =
  'Check the network, and the proxy or mirror set for it (npm: `npm config get registry`; pip: `pip config list`). Then run the same command again: it goes on where it stopped.';

/**
 * Known endings of npm, pip and git. The first that matches wins, so the particular ones stand first.
 * @type {readonly { pattern: RegExp, message: (match: RegExpMatchArray) => string, remedy: string }[]}
 */
const CAUSES = [
  {
    pattern: /ENOSPC|No space left on device|not enough space on the disk/i,
    message: () => 'the disk is full',
    remedy:
      'Free some space (the model and the Python packages need about 3 GB), then run the same command again.',
  },
  {
    pattern: /EACCES|EPERM|Permission denied/,
    message: () => 'a file or folder may not be written',
    remedy: 'Make the folder writable for your user; do not use sudo.',
  },
  {
    pattern: /CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT\w*|UNABLE_TO_GET_ISSUER_CERT\w*|SSLError/,
    message: () => "the registry's certificate was not accepted",
    remedy: 'Point NODE_EXTRA_CA_CERTS (npm) or PIP_CERT (pip) at the certificate authority of your network.',
  },
  {
    pattern:
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|NewConnectionError|Name or service not known|name resolution|Connection refused|ReadTimeoutError|ConnectTimeoutError|Could not resolve host/,
    message: (match) => `the registry cannot be reached (${match[0]})`,
    remedy: NETWORK_REMEDY,
  },
  {
    pattern: /No matching distribution found for (\S+)/,
    message: (match) => `pip finds no ${match[1]} for this Python and platform`,
    remedy:
      'Use a Python from 3.10 to 3.13 (PYTHON=/path/to/python3 names one), and a registry that carries the package.',
  },
  {
    pattern: /npm (?:ERR!|error) (?:code )?E404[\s\S]*?'([^']+)'/,
    message: (match) => `the registry does not carry ${match[1]}`,
    remedy: 'Use a registry that mirrors npmjs.org completely (`npm config get registry`).',
  },
  {
    pattern: /npm (?:ERR!|error) code EINTEGRITY/,
    message: () => 'a package is not the one that the lock file names',
    remedy: 'Run `npm cache clean --force` and try again; if it stays so, distrust the registry.',
  },
];

/**
 * Turns what a failed command printed into a SetupError.
 * @param {string} what the step, for example `npm ci`
 * @param {string} output the end of its output
 * @param {string} ending for example `exit code 1`
 */
export function explainFailure(what, output, ending) {
  const lines = output.trimEnd().split(/[\r\n]+/);
  // npm ends with its usage; the cause stands above it.
  const errors = lines.filter((line) => /\berror\b/i.test(line));
  const tail = (errors.length > 0 ? errors.slice(0, 12) : lines.slice(-12)).join('\n');
  for (const { pattern, message, remedy } of CAUSES) {
    const match = output.match(pattern);
    if (match) return new SetupError(`${what}: ${message(match)}.\n${tail}`, remedy);
  }
  return new SetupError(
    `${what} failed (${ending}).\n${tail}`,
    'Read the lines above; then run the same command again: it goes on where it stopped.',
  );
}
