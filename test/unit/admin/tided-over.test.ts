import assert from 'node:assert/strict';
import { test } from 'node:test';

import { tidedOver } from '../../../src/admin/tided-over.ts';
import type { Health } from '../../../src/base/health.ts';

const away: Health = { ok: false, reason: 'no answer', isAway: true };

function setUp() {
  let nowMs = 0;
  let answer: Health = { ok: true };
  const check = tidedOver(() => Promise.resolve(answer), { offlineTtlMs: 1000, clock: { now: () => nowMs } });
  return {
    ask: () => check(new AbortController().signal),
    answers: (health: Health) => (answer = health),
    pass: (ms: number) => (nowMs += ms),
  };
}

test('a key service that went away leaves the gateway ready for offlineTtl, with the reason', async () => {
  const { ask, answers, pass } = setUp();
  assert.deepEqual(await ask(), { ok: true });
  answers(away);
  pass(999);
  assert.deepEqual(await ask(), { ok: true, reason: 'no answer; keys in memory serve on' });
  pass(1);
  assert.deepEqual(await ask(), away);
  answers({ ok: true });
  assert.deepEqual(await ask(), { ok: true });
  answers(away);
  pass(999);
  assert.equal((await ask()).ok, true, 'counted from the last time that it was well');
});

test('one that was never well, or that says no, leaves it not ready', async () => {
  const { ask, answers } = setUp();
  answers(away);
  assert.deepEqual(await ask(), away);
  answers({ ok: true });
  await ask();
  const refused = { ok: false, reason: 'permission denied' };
  answers(refused);
  assert.deepEqual(await ask(), refused);
});
