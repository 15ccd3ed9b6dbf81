/** Outputs of real tools (test/fixtures/outputs), and observations around texts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ObservationContext } from '../../../agent-server/evidence/context.ts';
import { UNKNOWN_CONTEXT } from '../../../agent-server/evidence/context.ts';
import { readObservation } from '../../../agent-server/evidence/read-observation.ts';
import type { Reading } from '../../../agent-server/evidence/reading.ts';
import { Observation } from '../../../agent-server/protocol/observations.ts';
import { repositoryRoot } from '../../fixtures/runtime.ts';

export const OUTPUTS = join(repositoryRoot, 'test', 'fixtures', 'outputs');

export function output(name: string): string {
  return readFileSync(join(OUTPUTS, `${name}.txt`), 'utf8');
}

export interface Fields {
  readonly kind: string;
  readonly [field: string]: unknown;
}

const COMMON = {
  observationId: '6a1f7f5e-1d0a-4a60-9f3e-000000000001',
  observedAt: '2026-01-01T00:00:00Z',
  turnId: '6a1f7f5e-1d0a-4a60-9f3e-0000000000aa',
};

export function observe(fields: Fields): Observation {
  return Observation.parse({ ...COMMON, ...fields });
}

export const testRun = (text: string, more: Record<string, unknown> = {}): Fields => ({
  kind: 'test_run',
  exitCode: null,
  output: text,
  before: null,
  testDiff: null,
  ...more,
});

export const terminal = (
  commandLine: string,
  exitCode: number | null,
  text = '',
  more: Record<string, unknown> = {},
): Fields => ({
  kind: 'terminal',
  source: 'agent',
  commandLine,
  cwd: '/repo',
  exitCode,
  output: text,
  ...more,
});

export const toolResult = (
  callId: string,
  text: string,
  isError: boolean | null = null,
  toolName = 'shell',
): Fields => ({
  kind: 'tool_result',
  callId,
  toolName,
  isError,
  text,
});

/** The turn that is read; whatever else is observed belongs to an earlier one. */
export const NOW = { turnId: '6a1f7f5e-1d0a-4a60-9f3e-0000000000bb' };

/** Reads `fields` against `proposal`; a kind that is no next state fails the test. */
export function read(
  fields: Fields,
  context: Partial<ObservationContext> & { proposal?: string } = {},
): Reading {
  const { proposal = '', ...rest } = context;
  const reading = readObservation(observe({ ...fields, ...NOW }), proposal, { ...UNKNOWN_CONTEXT, ...rest });
  if (reading === null) throw new Error(`${fields.kind} was not read`);
  return reading;
}
