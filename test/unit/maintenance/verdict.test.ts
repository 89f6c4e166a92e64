import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { CapabilityName } from '../../../src/maintenance/backend-probe/capabilities.ts';
import type { ProbeOutcome } from '../../../src/maintenance/backend-probe/probe-backend.ts';
import { judge } from '../../../src/maintenance/backend-probe/verdict.ts';
import { noQuirks, type StoreQuirks } from '../../../src/store/quirks.ts';

function verdict(capability: CapabilityName, outcome: ProbeOutcome, quirks: Partial<StoreQuirks> = {}) {
  return judge([{ capability, outcome, reason: 'reason' }], { ...noQuirks, ...quirks }, 'backends.main');
}

describe('what findings of the doctor mean', () => {
  it('is a problem where something is missing that everything needs', () => {
    assert.deepEqual(verdict('multipart', 'lacks').problems, ['multipart uploads: reason: uploads in parts fail']);
    assert.deepEqual(verdict('versions', 'lacks'), { problems: [], advice: [] });
    assert.deepEqual(verdict('checksums', 'lacks'), { problems: [], advice: [] });
  });

  it('is a problem where a condition is ignored and the gateway is not told', () => {
    assert.deepEqual(verdict('conditionalDeletes', 'ignored').problems, [
      'If-Match on DeleteObject: reason: set backends.main.quirks.ignoresConditions: [DeleteObject]',
    ]);
    const told = verdict('conditionalDeletes', 'ignored', { ignoresConditions: ['DeleteObject'] });
    assert.deepEqual(told, { problems: [], advice: [] });
    const otherwise = verdict('conditionalDeletes', 'ignored', { ignoresConditions: ['PutObject'] });
    assert.equal(otherwise.problems.length, 1);
  });

  it('is none where a condition is refused: the refusal reaches the client', () => {
    assert.deepEqual(verdict('conditionalCreations', 'lacks').problems, []);
  });

  it('is a problem where parts must have one size and the gateway is not told', () => {
    assert.equal(verdict('partsOfAnySize', 'lacks').problems.length, 1);
    assert.deepEqual(verdict('partsOfAnySize', 'lacks', { equalPartSizes: true }), { problems: [], advice: [] });
  });

  it('advises to take back what is not needed', () => {
    const { problems, advice } = verdict('partsOfAnySize', 'works', { equalPartSizes: true });
    assert.deepEqual(problems, []);
    assert.match(advice.join(), /equalPartSizes: true is not needed/);
  });

  it('says nothing of what was not tried', () => {
    assert.deepEqual(verdict('multipart', 'unknown'), { problems: [], advice: [] });
  });
});
