import assert from 'node:assert/strict';
import { test } from 'node:test';

import { reportOf, reportText, type RewrapScope } from '../../../src/cli/rewrap/rewrap-report.ts';
import { Tally } from '../../../src/maintenance/rewrap/tally.ts';

const withinMs = 10_000;

function familyOf({ keyVersion }: { readonly keyVersion: string }): string {
  return keyVersion;
}

/** The report of a run over a bucket with nothing under version 1, which was followed by version 2 at a time. */
function report(supersededMs: number | undefined, startedMs: number, more: Partial<RewrapScope> = {}) {
  const tally = new Tally();
  tally.count({ keyName: 'main', keyVersion: '2' }, 'objects');
  const takeUps = new Map([['1', { withinMs, supersededMs }]]);
  const scope = {
    bucket: 'b',
    backend: 'main',
    dryRun: true,
    rewrapsVersions: false,
    isWhole: true,
    familyOf,
    ...more,
  };
  const known = new Map([['main', { versions: ['2', '1'], takeUps }]]);
  const result = reportOf({ ...scope, known }, { tally: tally.value, startedMs, guard: undefined });
  const line = reportText(result)
    .split('\n')
    .find((text) => text.startsWith('version 1 '));
  return { old: result.versions.find(({ keyVersion }) => keyVersion === '1'), line };
}

test('a version may be retired after a run that began when every gateway had taken up the next one', () => {
  const nowMs = Date.now();
  const { old, line } = report(nowMs - withinMs, nowMs);
  assert.deepEqual([old?.mayBeRetired, old?.takeUp], [true, undefined]);
  assert.match(line ?? '', /protects 0 objects: it may be retired, where no other bucket/);
});

test('a run that began earlier says when to begin the next one', () => {
  const nowMs = Date.now();
  for (const [rotatedMs, startedMs, leftSeconds, when] of [
    [nowMs, nowMs, 10, 'in (10|9) s'],
    [nowMs - 3600_000, nowMs - 3595_000, 0, 'now'],
    // Of a state file that does not say it.
    [nowMs - 3600_000, 0, 0, 'now'],
  ] as const) {
    const { old, line } = report(rotatedMs, startedMs);
    assert.equal(old?.mayBeRetired, false);
    assert.equal(old.takeUp?.withinSeconds, 10);
    assert.ok(Math.abs((old.takeUp.leftSeconds ?? -9) - leftSeconds) <= 1);
    assert.match(
      line ?? '',
      new RegExp(`: gateways may have written under it since this run began: run again ${when}$`),
    );
  }
});

test('where nobody tells when the rotation was, the line says how long ago it has to be', () => {
  const { old, line } = report(undefined, Date.now());
  assert.deepEqual([old?.mayBeRetired, old?.takeUp], [false, { withinSeconds: 10 }]);
  assert.match(line ?? '', /may be retired where the rotation was 10 s before this run began, .*; else run again$/);
});

test('nothing is said of a version where not all was looked at', () => {
  const { old, line } = report(0, Date.now(), { isWhole: false });
  assert.deepEqual([old?.mayBeRetired, old?.takeUp], [false, undefined]);
  assert.equal(line, 'version 1 of key main still protects 0 objects');
});
