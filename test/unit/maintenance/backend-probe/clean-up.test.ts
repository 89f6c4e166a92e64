import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import { removeAll } from '../../../../src/maintenance/backend-probe/clean-up.ts';
import { ProbeClient } from '../../../../src/maintenance/backend-probe/probe.ts';
import { s3Error } from '../../../../src/s3/s3-error.ts';
import type { CallOptions } from '../../../../src/store/object-store.ts';
import { FilesystemStore } from '../../../../src/store/filesystem/filesystem-store.ts';

const root = await mkdtemp(join(tmpdir(), 's3eg-clean-up-'));
const store = await FilesystemStore.open({ root });
after(async () => {
  await store.close();
  await rm(root, { recursive: true });
});

const { signal } = new AbortController();
const deleteBucket = store.deleteBucket.bind(store);

/** A bucket with an object in it, whose store says `refusals` times more than it ought to that it is not empty. */
async function usedPlace(bucket: string, refusals: number) {
  await store.createBucket(bucket, {}, { signal });
  let left = refusals;
  store.deleteBucket = async (name: string, options: CallOptions) => {
    left -= 1;
    if (left >= 0) throw s3Error('BucketNotEmpty');
    await deleteBucket(name, options);
  };
  const client = new ProbeClient({ store, bucket, prefix: '', signal });
  return { client, prefix: '', own: true, signal };
}

describe('cleaning up after a probe', () => {
  it('goes on where a bucket is not empty for a moment', async () => {
    const place = await usedPlace('passing', 2);
    assert.deepEqual(await removeAll(place), []);
    await assert.rejects(store.headBucket('passing', { signal }), { code: 'NoSuchBucket' });
  });

  it('says so where it stays', async () => {
    const stopped = AbortSignal.timeout(300);
    const place = { ...(await usedPlace('staying', 1000)), signal: stopped };
    const [problem, ...others] = await removeAll(place);
    assert.match(problem ?? '', /^bucket staying: .*not empty/);
    assert.deepEqual(others, []);
    await store.headBucket('staying', { signal });
  });
});
