import assert from 'node:assert/strict';
import { test } from 'node:test';

import { KeyAudit } from '../../../src/audit/key-audit.ts';
import { openAudit } from '../../../src/audit/open-audit.ts';
import type { Health } from '../../../src/base/health.ts';
import { KeyError } from '../../../src/keys/key-provider.ts';

async function setUp() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line));
  const trail = await openAudit([{ type: 'stdout' }], { stream: { kind: 'stdout', write } });
  const told = () =>
    lines.map(({ time, audit, event_id: id, host, process_id: pid, ...line }) => {
      assert.ok(time !== undefined && audit === true && id !== undefined && host !== undefined && pid === process.pid);
      return line;
    });
  return { audit: new KeyAudit(trail), told };
}

test('the health of a key is told when it changes, and not when nobody waited for it', async () => {
  const { audit, told } = await setUp();
  let health: Health = { ok: true };
  const check = audit.watched('main', async () => health);
  const patient = new AbortController().signal;
  const ask = async (next: Health, signal = patient): Promise<void> => {
    health = next;
    assert.equal(await check(signal), next);
  };
  await ask({ ok: true });
  await ask({ ok: false, reason: 'late' }, AbortSignal.abort());
  assert.deepEqual(told(), []);
  await ask({ ok: false, reason: 'key k is disabled' });
  await ask({ ok: false, reason: 'key k is disabled' });
  await ask({ ok: true });
  await ask({ ok: true });
  await ask({ ok: false, reason: 'no answer', isAway: true });
  const by = { actor: 'gateway', key_name: 'main' };
  assert.deepEqual(told(), [
    { event: 'key_unusable', outcome: 'failed', ...by, reason: 'refused', detail: 'key k is disabled' },
    { event: 'key_usable', outcome: 'ok', ...by },
    { event: 'key_unusable', outcome: 'failed', ...by, reason: 'away', detail: 'no answer' },
  ]);
});

test('rotations are told with who made them and what came of them', async () => {
  const { audit, told } = await setUp();
  const byApi = audit.rotationBy({ actor: 'admin_api', remote_address: '192.0.2.1', request_id: '0123456789ABCDEF' });
  await byApi.started({ keyName: 'main' });
  await byApi.rotated({ keyName: 'main', previous: '', current: '1' });
  await audit.rotationBy({ actor: 'schedule' }).failed({ keyName: 'main', error: new KeyError('denied', 'a secret') });
  await audit.rotationBy({ actor: 'schedule' }).failed({ keyName: 'main', error: 'a secret' });
  await audit.rotationSkipped({ keyName: 'main', reason: 'taken' });
  const api = { actor: 'admin_api', remote_address: '192.0.2.1', request_id: '0123456789ABCDEF', key_name: 'main' };
  const schedule = { actor: 'schedule', key_name: 'main' };
  assert.deepEqual(told(), [
    { event: 'key_rotation_started', outcome: 'begun', ...api },
    { event: 'key_rotation_finished', outcome: 'ok', ...api, key_version: '1' },
    { event: 'key_rotation_failed', outcome: 'failed', ...schedule, error_code: 'denied' },
    { event: 'key_rotation_failed', outcome: 'failed', ...schedule, error_code: 'error' },
    { event: 'key_rotation_skipped', outcome: 'skipped', ...schedule, reason: 'taken' },
  ]);
});
