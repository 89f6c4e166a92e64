import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { checkCopiedSize } from '../../../src/operations/copy-source.ts';

describe('what one request copies', () => {
  it('has at most 5 GiB', () => {
    const limit = 5 * 1024 ** 3;
    for (const size of [0, 1, limit]) checkCopiedSize(size);
    assert.throws(() => checkCopiedSize(limit + 1), {
      code: 'InvalidRequest',
      status: 400,
      message: `The specified copy source is larger than the maximum allowable size for a copy source: ${limit}`,
    });
  });
});
