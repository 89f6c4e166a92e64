import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { quantile, slopeOf, spreadOf } from '../../bench/statistics.ts';

describe('the statistics of the benchmark', () => {
  it('has quartiles as R and NumPy have them', () => {
    // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, .25, .5, .75, 1])
    const { min, lowerQuartile, median, upperQuartile, max, count } = spreadOf([3, 1, 4, 1, 5, 9, 2, 6]);
    assert.deepEqual([min, lowerQuartile, median, upperQuartile, max, count], [1, 1.75, 3.5, 5.25, 9, 8]);
  });

  it('has one value as each of its quantiles, and none of nothing', () => {
    assert.equal(quantile([7], 0.99), 7);
    assert.ok(Number.isNaN(spreadOf([]).median));
  });

  it('finds the slope of a straight line with noise that cancels out', () => {
    assert.equal(
      slopeOf([
        [0, 1],
        [1, 5],
        [2, 5],
        [3, 9],
      ]),
      2.4,
    );
    assert.equal(
      slopeOf([
        [0, 4],
        [5, 4],
        [9, 4],
      ]),
      0,
    );
  });
});
