/** The simulated users are what they say: their own rewrites satisfy them, and scrambled ones do not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { permutation, reorder, seededRandom } from '../../../agent-server/learning/random.ts';
import { USERS } from '../../scenarios/users/index.ts';
import { HELD_OUT } from '../../scenarios/users/user.ts';

for (const user of USERS) {
  test(`${user.name}: every rewrite satisfies, no scrambled one does, no request comes twice`, () => {
    const random = seededRandom(1);
    assert.ok(user.tasks.length >= HELD_OUT + 36);
    assert.equal(new Set(user.tasks.map(({ request }) => request)).size, user.tasks.length);
    for (const task of user.tasks) {
      assert.ok(user.satisfied(task.rewrite, task), task.rewrite);
      const words = task.rewrite.split(/(?<=\s)/);
      const scrambled = reorder(words, permutation(words.length, random));
      // A taste says how an answer begins; the order of the rest may be free.
      if (scrambled[0] !== words[0]) assert.ok(!user.satisfied(scrambled.join(''), task), scrambled.join(''));
    }
  });
}
