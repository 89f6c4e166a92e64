import assert from 'node:assert/strict';
import { test } from 'node:test';

import { scriptedBackend } from './scripted-backend.ts';

test('every call of a store that expects an owner says so, and no other', async (context) => {
  const empty = {
    status: 200,
    headers: { etag: '"e"', 'content-length': '3', 'last-modified': 'Tue, 24 Nov 2026 00:00:00 GMT' },
  };
  const denied = { status: 403 };
  const { store, seen } = await scriptedBackend(context, [empty, empty, { status: 204 }, denied, empty], {
    retries: 0,
  });
  const expecting = store.expectingOwner('111122223333');
  await expecting.headBucket('bucket');
  await expecting.headObject({ bucket: 'bucket', key: 'key' });
  const headers = { 'x-amz-expected-bucket-owner': '111122223333', 'x-amz-mfa': 'm' };
  await expecting.deleteObject({ bucket: 'bucket', key: 'key', headers });
  await assert.rejects(expecting.deleteBucket('bucket'), { status: 403 });
  await store.headBucket('bucket');
  assert.deepEqual(
    seen.map((request) => request.headers['x-amz-expected-bucket-owner']),
    ['111122223333', '111122223333', '111122223333', '111122223333', undefined],
  );
  const signed = seen.map(({ headers: { authorization = '' } }) =>
    authorization.includes('x-amz-expected-bucket-owner'),
  );
  assert.deepEqual(signed, [true, true, true, true, false]);
});
