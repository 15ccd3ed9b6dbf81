import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObservedToolCall } from '../../../agent-server/evidence/context.ts';
import type { Reading } from '../../../agent-server/evidence/reading.ts';
import { observe, output, read, terminal, toolResult } from './outputs.ts';

const RUN = '{"command":"pytest -v"}';
const call = (callId: string, name: string, args: unknown): ObservedToolCall => ({
  callId,
  name,
  arguments: typeof args === 'string' ? args : JSON.stringify(args),
});

/** An agent runs the tests, makes `edits`, and runs them again: one that failed passes now. */
function afterEdits(edits: readonly unknown[]): Reading {
  const toolCalls = [
    call('run-1', 'shell', RUN),
    ...edits.map((args, at) => call(`edit-${at}`, 'edit', args)),
    call('run-2', 'shell', RUN),
  ];
  const before = [observe(toolResult('run-1', output('pytest-v')))];
  return read(toolResult('run-2', output('pytest-v-fixed')), { toolCalls, before });
}

describe("EVID-10: tests that an agent's own tools weakened are no success", () => {
  it('edits of other files, and tests that are only added, are no weakening', () => {
    assert.equal(afterEdits([]).score, 1);
    const code = { path: 'pricing.py', old_string: 'assert percent == 1', new_string: 'return 2' };
    assert.equal(afterEdits([code, { file_path: 'latest.json', content: '{}' }]).score, 1);
    const added = {
      path: 'test_pricing.py',
      old_str: 'import a',
      new_str: 'import a\ndef test_b():\n  assert b()',
    };
    assert.equal(afterEdits([added]).score, 1);
    assert.equal(afterEdits([{ file_path: 'tests/test_new.py', content: 'def test_c(): ...' }]).score, 1);
    assert.equal(afterEdits(['no json', '[1]', { path: 7, edits: 'x' }]).score, 1);
  });

  for (const [what, edit] of [
    [
      'an assertion edited',
      { file_path: 'py/test_pricing.py', old_string: 'assert a == 180', new_string: 'assert a == 190' },
    ],
    [
      'a marker added',
      {
        path: 'test_pricing.py',
        edits: [{ oldText: 'def test_x():', newText: '@pytest.mark.skip\ndef test_x():' }],
      },
    ],
    [
      'a patch in unified form',
      {
        patch:
          '--- a/pricing.py\n+++ b/pricing.py\n-a\n+b\n--- a/test_pricing.py\n+++ b/test_pricing.py\n-  assert a == 1\n',
      },
    ],
    [
      'a patch in the form of apply_patch',
      {
        input:
          '*** Begin Patch\n*** Update File: test_pricing.py\n@@\n-  assert a == 1\n+  pass\n*** End Patch',
      },
    ],
    [
      'a test file deleted by a patch',
      { input: '*** Begin Patch\n*** Delete File: test_old.py\n*** End Patch' },
    ],
    [
      'the test file written anew',
      { file_path: '/home/dev/shop/py/test_pricing.py', content: 'def test_a(): ...' },
    ],
  ] as const) {
    it(what, () => {
      const reading = afterEdits([edit]);
      assert.equal(reading.score, 0, reading.detail);
      assert.match(reading.detail, /weaker tests are no success/);
    });
  }

  it('what was weakened before the earlier run is not held against this one', () => {
    const weaken = { path: 'test_pricing.py', old_str: 'assert a == 1', new_str: 'pass' };
    const toolCalls = [
      call('edit', 'edit', weaken),
      call('run-1', 'shell', RUN),
      call('run-2', 'shell', RUN),
    ];
    const before = [observe(toolResult('run-1', output('pytest-v')))];
    assert.equal(read(toolResult('run-2', output('pytest-v-fixed')), { toolCalls, before }).score, 1);
    assert.equal(
      read(terminal('pytest -v', 1, output('pytest-v-fixed')), {
        toolCalls,
        before: [observe(terminal('pytest -v', 1, output('pytest-v')))],
      }).score,
      0,
    );
  });
});
