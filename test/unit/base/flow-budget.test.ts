import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { FlowBudget } from '../../../src/base/flow-budget.ts';

const kibibyte = 1024;

describe('FlowBudget', () => {
  it('lets a buffer hold 256 KiB while there is much left, less when there is little, and 64 KiB in any case', () => {
    const budget = new FlowBudget(8 * 1024 * kibibyte);
    const limits: number[] = [];
    for (const held of [0, 4096, 2048, 1024, 512, 512, 1024]) {
      budget.hold(held * kibibyte);
      limits.push(budget.limitBytes / kibibyte);
    }
    assert.deepEqual(limits, [256, 256, 128, 64, 64, 64, 64]);
    budget.letGo(9 * 1024 * kibibyte);
    assert.equal(budget.heldBytes, 0);
    assert.equal(budget.limitBytes, 256 * kibibyte);
  });
});
