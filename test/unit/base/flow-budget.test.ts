import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { FlowBudget } from '../../../src/base/flow-budget.ts';

const kibibyte = 1024;

describe('FlowBudget', () => {
  it('lets a buffer hold 1 MiB while there is much left, less when there is little, and 64 KiB in any case', () => {
    const budget = new FlowBudget(32 * 1024 * kibibyte);
    const limits: number[] = [];
    for (const held of [0, 16384, 8192, 4096, 2048, 2048, 4096]) {
      budget.hold(held * kibibyte);
      limits.push(budget.limitBytes / kibibyte);
    }
    assert.deepEqual(limits, [1024, 1024, 512, 256, 128, 64, 64]);
    budget.letGo(36 * 1024 * kibibyte);
    assert.equal(budget.heldBytes, 0);
    assert.equal(budget.limitBytes, 1024 * kibibyte);
    assert.equal(new FlowBudget(320 * 1024 * kibibyte).limitBytes, 1024 * kibibyte);
  });
});
