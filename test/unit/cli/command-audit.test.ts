import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { CommandAudit, rotationStep } from '../../../src/cli/command-audit.ts';

test('what was done and could not be recorded is a problem, and said', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 's3eg-command-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'audit.jsonl');
  let complaints = '';
  const io = {
    env: {},
    cwd: folder,
    out: () => {},
    err: (text: string) => void (complaints += text),
    errIsTerminal: false,
  };
  await using audit = await CommandAudit.open(io, { audit: { sinks: [{ type: 'file', file }] } });
  assert.equal(audit.exitCode(0), 0);
  let begun = '';
  const rotated = await audit.step(rotationStep('main'), async () => {
    begun = await readFile(file, 'utf8');
    await rm(file);
    await mkdir(file);
    return { previous: '1', current: '2' };
  });
  assert.match(begun, /"event":"key_rotation_started"/);
  assert.equal(rotated.current, '2', 'it was done');
  assert.match(complaints, /^s3eg: the audit event key_rotation_finished was not written: EISDIR/);
  assert.deepEqual([audit.exitCode(0), audit.exitCode(3)], [1, 3]);
  let isDone = false;
  const again = audit.step(rotationStep('main'), async () => {
    isDone = true;
    return { previous: '2', current: '3' };
  });
  await assert.rejects(again, /nothing was done, as its audit event could not be written/);
  assert.equal(isDone, false);
});
