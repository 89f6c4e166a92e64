import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Variant } from '../../bench/gateway.ts';
import { isOtherGateway } from '../../bench/results.ts';
import { readOptions } from '../../bench/options.ts';

function against(text: string): Variant | undefined {
  return readOptions(['--against', text]).against;
}

describe('the options of the benchmark', () => {
  it('compares with a runtime, with other settings, or with another checkout', () => {
    assert.deepEqual(against('bun'), { name: 'gateway on bun', runtime: 'bun' });
    assert.deepEqual(against('workers: 2'), { name: 'gateway with workers: 2', settings: 'workers: 2' });
    assert.deepEqual(against('/some/where'), { name: 'gateway of /some/where', checkout: '/some/where' });
    for (const text of ['bun', 'workers: 2', '/some/where']) {
      assert.ok(isOtherGateway(against(text)?.name ?? ''), text);
    }
    assert.ok(!isOtherGateway('gateway, one core'));
  });

  it('checks with a quick run of the core loads, three rounds of it', () => {
    const { mode, only, rounds, isQuick } = readOptions(['--compare']);
    assert.deepEqual([mode, only, rounds, isQuick], ['compare', 'core', 3, true]);
    assert.deepEqual([readOptions([]).rounds, readOptions(['--quick']).rounds], [5, 2]);
  });

  it('refuses what it cannot do', () => {
    assert.throws(() => readOptions(['--rounds', '0']), /--rounds/);
    assert.throws(() => readOptions(['--minutes', '1.5']), /--minutes/);
    assert.throws(() => readOptions(['--faster']), /--faster/);
    // A page of the repository names no other checkout.
    assert.throws(() => readOptions(['--write-docs', '--against', 'bun']), /--against/);
  });
});
