import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { choose, scenarios } from '../../bench/scenarios.ts';

const namesOf = (only?: string): Record<string, readonly string[]> =>
  Object.fromEntries([...choose(only)].map(([{ name }, loads]) => [name, loads]));

describe('--only', () => {
  it('takes parts of the names of loads, in any case', () => {
    assert.deepEqual(namesOf('32 mib get, 4 KiB PUT,signed'), {
      core: ['32 MiB PUT, SHA-256 signed', '32 MiB GET', '4 KiB PUT', '4 KiB PUT, SHA-256 signed'],
    });
  });

  it('takes the whole name of a load though there is a comma in it', () => {
    assert.deepEqual(namesOf('slow line, 8 MiB get'), { throughput: ['slow line, 8 MiB GET'] });
  });

  it('takes the name of a scenario for that scenario alone', () => {
    assert.deepEqual(Object.keys(namesOf('listing')), ['listing']);
  });

  it('leaves out what takes long unless it is named', () => {
    assert.ok(!('listing' in namesOf()));
    assert.deepEqual(
      Object.keys(namesOf('all')),
      scenarios.map(({ name }) => name),
    );
  });

  it('refuses what means nothing, and says what there is', () => {
    assert.throws(() => choose('32 MiB GTE'), /is no load.*core.*32 MiB GET/s);
    assert.throws(() => choose('get,'), /is no load/);
  });
});
