/** The status bar's menu offers what can be done in each state, and no more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MenuState, menuEntries, menuTitle } from '../../../extension/status/menu-entries.ts';

const same = (message: string): string => message;
const STATE: MenuState = {
  modelName: null,
  version: 'policy@v3',
  learning: 'on',
  connection: 'connected',
  runtime: 'ready',
};
const actions = (state: Partial<MenuState>): string[] =>
  menuEntries({ ...STATE, ...state }, same).map(({ action }) => action);

test('MENU-1: model, version and state stand in its title', () => {
  assert.equal(menuTitle(STATE, same), 'SmolLM2-135M-Instruct · policy@v3 · learning is on');
  assert.equal(
    menuTitle({ ...STATE, modelName: 'mine', version: null, connection: 'offline' }, same),
    'mine · not connected',
  );
  const fresh: MenuState = {
    ...STATE,
    version: null,
    learning: null,
    connection: 'idle',
    runtime: 'missing',
  };
  assert.equal(menuTitle(fresh, same), 'no model yet · learning has not been asked for');
});

test('MENU-1: learning is paused where it is on, resumed where it is not, and never turned on unasked', () => {
  assert.deepEqual(actions({}), ['openPanel', 'write', 'pause', 'connectAgent', 'showLog']);
  for (const learning of ['paused', 'off'] as const)
    assert.deepEqual(actions({ learning }), ['openPanel', 'write', 'resume', 'connectAgent', 'showLog']);
  for (const learning of ['unasked', null] as const)
    assert.deepEqual(actions({ learning }), ['openPanel', 'write', 'connectAgent', 'showLog']);
  assert.ok(actions({ runtime: 'missing' }).includes('setUp'));
  assert.equal(actions({ connection: 'offline' })[0], 'retry');
});
