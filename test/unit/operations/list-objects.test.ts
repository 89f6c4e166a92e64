import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { BucketRequest, Gateway } from '../../../src/operations/gateway.ts';
import { listObjects, listObjectsV2 } from '../../../src/operations/list-objects.ts';
import type { ListObjectsResult } from '../../../src/store/object-store.ts';

const own = { key: '.s3eg/canary/local', sizeBytes: 1, etag: '"e"', lastModified: '2026-01-01T00:00:00Z' };

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
const gateway = { reservedPrefix: '.s3eg/' } as Gateway;

/** A request whose backend gives the same page again and again; `asked` counts how often. */
function requestOn(page: Partial<ListObjectsResult>): {
  readonly request: BucketRequest;
  readonly asked: () => number;
} {
  let count = 0;
  const listing = { objects: [own], commonPrefixes: [], isTruncated: true, ...page };
  const request = {
    bucket: 'bucket',
    query: new Map(),
    policy: { encryption: { mode: 'off' } },
    backend: {
      store: {
        listObjects() {
          count += 1;
          assert.ok(count < 100, 'asked for ever');
          return Promise.resolve(listing);
        },
      },
    },
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
  return { request: request as unknown as BucketRequest, asked: () => count };
}

test('a backend that repeats a page of hidden keys for ever is not asked for ever', async () => {
  const repeated = { message: 'The listing of the backend does not go on.' };
  const byToken = requestOn({ nextContinuationToken: 'token' });
  await assert.rejects(listObjectsV2(byToken.request, gateway), repeated);
  assert.equal(byToken.asked(), 2);
  const byMarker = requestOn({ nextMarker: 'marker' });
  await assert.rejects(listObjects(byMarker.request, gateway), repeated);
  assert.equal(byMarker.asked(), 2);
  const withoutToken = requestOn({});
  await assert.rejects(listObjectsV2(withoutToken.request, gateway), repeated);
  assert.equal(withoutToken.asked(), 1);
});
