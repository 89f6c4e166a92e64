import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import { TurnCork } from '../../../src/base/turn-cork.ts';

function recorder() {
  const calls: string[] = [];
  const target = { cork: () => calls.push('cork'), uncork: () => calls.push('uncork') };
  return { calls, cork: new TurnCork(target) };
}

describe('TurnCork', () => {
  it('holds back to the end of the turn, however often it is asked to', async () => {
    const { calls, cork } = recorder();
    cork.hold();
    cork.hold();
    await Promise.resolve();
    cork.hold();
    assert.deepEqual(calls, ['cork']);
    await turn();
    assert.deepEqual(calls, ['cork', 'uncork']);
    await turn();
    assert.deepEqual(calls, ['cork', 'uncork']);
  });

  it('lets go at once, and only what it holds', async () => {
    const { calls, cork } = recorder();
    cork.letGo();
    cork.hold();
    cork.letGo();
    cork.letGo();
    assert.deepEqual(calls, ['cork', 'uncork']);
    await turn();
    assert.deepEqual(calls, ['cork', 'uncork']);
  });

  it('holds anew in the same turn and in later ones', async () => {
    const { calls, cork } = recorder();
    cork.hold();
    cork.letGo();
    cork.hold();
    await turn();
    cork.hold();
    await turn();
    assert.deepEqual(calls, ['cork', 'uncork', 'cork', 'uncork', 'cork', 'uncork']);
  });
});
