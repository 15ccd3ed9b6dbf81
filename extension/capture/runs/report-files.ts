/**
 * Which files in a workspace are test reports, by their names and then by what they say: an XML file beside reports may
 * be anything. Pure.
 */

/** As VS Code's watchers take them. */
export const REPORT_GLOBS = [
  '**/*junit*.xml',
  '**/TEST-*.xml',
  '**/{test-results,test-reports,surefire-reports,failsafe-reports,TestResults}/**/*.xml',
  '**/*.tap',
] as const;

/** A longer one is not read: its beginning tells less than the terminal does. */
export const MAX_REPORT_BYTES = 2_000_000;

const JUNIT = /<testsuites?[\s>]/;
const TAP = /^(?:TAP version \d+|1\.\.\d+|(?:not )?ok \d+)\b/m;

export function isReport(text: string): boolean {
  return JUNIT.test(text) || TAP.test(text);
}
