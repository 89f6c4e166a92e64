import assert from 'node:assert/strict';
import { pattern, putPart, startUpload, type ContractContext, type ContractTest } from './harness.ts';

type UploadQuery = Parameters<ContractContext['store']['listUploads']>[0];

/** Every page of a listing of uploads. */
async function listAllUploads({ store, bucket }: ContractContext, query: Omit<UploadQuery, 'bucket'>) {
  const found: string[] = [];
  const commonPrefixes: string[] = [];
  let next = query;
  for (let pages = 0; pages < 200; pages++) {
    const page = await store.listUploads({ bucket, ...next });
    found.push(...page.uploads.map(({ key, uploadId }) => `${key} ${uploadId}`));
    commonPrefixes.push(...page.commonPrefixes);
    assert.ok(page.uploads.length + page.commonPrefixes.length <= (query.maxUploads ?? 1000));
    if (!page.isTruncated) return { found, commonPrefixes };
    assert.ok(page.nextKeyMarker !== undefined);
    next = {
      ...query,
      keyMarker: page.nextKeyMarker,
      ...(page.nextUploadIdMarker === undefined ? {} : { uploadIdMarker: page.nextUploadIdMarker }),
    };
  }
  return assert.fail('a listing that never ends');
}

/** Listings of parts and of open uploads. */
export const uploadListingTests: readonly ContractTest[] = [
  {
    name: 'lists parts in order of their numbers, page by page',
    run: async (context) => {
      const { store, bucket } = context;
      const upload = await startUpload(context, 'k');
      const etags = new Map<number, string>();
      for (const number of [12, 3, 10_000, 1, 7]) {
        const { etag } = await putPart(context, upload, number, pattern(number % 100, number));
        etags.set(number, etag);
      }
      const numbers = [1, 3, 7, 12, 10_000];
      for (const maxParts of [1, 2, 3, 5, 1000]) {
        const seen: number[] = [];
        let partNumberMarker = 0;
        for (let pages = 0; pages < 10; pages++) {
          const page = await store.listParts({ bucket, ...upload, maxParts, partNumberMarker });
          for (const part of page.parts) {
            assert.deepEqual([part.etag, part.sizeBytes], [etags.get(part.partNumber), part.partNumber % 100]);
            assert.match(part.lastModified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
            seen.push(part.partNumber);
          }
          assert.ok(page.parts.length <= maxParts);
          if (!page.isTruncated) break;
          assert.ok(page.nextPartNumberMarker !== undefined && page.nextPartNumberMarker > partNumberMarker);
          partNumberMarker = page.nextPartNumberMarker;
        }
        assert.deepEqual(seen, numbers, `pages of ${maxParts}`);
      }
    },
  },
  {
    name: 'lists no part twice when a part was sent again',
    run: async (context) => {
      const upload = await startUpload(context, 'k');
      await putPart(context, upload, 1, pattern(10, 1));
      const { etag } = await putPart(context, upload, 1, pattern(20, 2));
      const { parts } = await context.store.listParts({ bucket: context.bucket, ...upload });
      assert.deepEqual(
        parts.map((part) => [part.partNumber, part.sizeBytes, part.etag]),
        [[1, 20, etag]],
      );
    },
  },
  {
    name: 'lists the uploads of a key in the order in which they began',
    run: async (context) => {
      const first = await startUpload(context, 'k');
      const second = await startUpload(context, 'k');
      assert.notEqual(first.uploadId, second.uploadId);
      const { uploads } = await context.store.listUploads({ bucket: context.bucket, prefix: 'k' });
      assert.deepEqual(
        uploads.map(({ uploadId }) => uploadId).toSorted(),
        [first.uploadId, second.uploadId].toSorted(),
      );
      for (const { key, initiated } of uploads) {
        assert.equal(key, 'k');
        assert.match(initiated, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      }
      await context.store.abortUpload({ bucket: context.bucket, ...first });
      const left = await context.store.listUploads({ bucket: context.bucket, prefix: 'k' });
      assert.deepEqual(
        left.uploads.map(({ uploadId }) => uploadId),
        [second.uploadId],
      );
    },
  },
  {
    name: 'pages through uploads with prefix and delimiter',
    run: async (context) => {
      const keys = ['a', 'a', 'a', 'b/1', 'b/1', 'b/2', 'c', '\uff5e', '\u{1f600}'];
      const started = new Map<string, string[]>();
      for (const key of keys) {
        const { uploadId } = await startUpload(context, key);
        started.set(key, [...(started.get(key) ?? []), `${key} ${uploadId}`]);
      }
      const of = (...names: string[]) => names.flatMap((name) => started.get(name) ?? []).toSorted();
      for (let maxUploads = 1; maxUploads <= keys.length + 1; maxUploads++) {
        const flat = await listAllUploads(context, { maxUploads });
        assert.deepEqual(flat.found.toSorted(), of(...new Set(keys)), `pages of ${maxUploads}`);
        assert.deepEqual(
          [...new Set(flat.found.map((line) => line.split(' ')[0]))],
          [...new Set(keys)],
          'ordered by UTF-8 bytes of the key',
        );
        const rolled = await listAllUploads(context, { maxUploads, delimiter: '/' });
        assert.deepEqual(rolled.found.toSorted(), of('a', 'c', '\uff5e', '\u{1f600}'));
        assert.deepEqual(rolled.commonPrefixes, ['b/']);
        const under = await listAllUploads(context, { maxUploads, prefix: 'b/', delimiter: '/' });
        assert.deepEqual(under.found.toSorted(), of('b/1', 'b/2'));
      }
    },
  },
];
