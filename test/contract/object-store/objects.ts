import assert from 'node:assert/strict';
import { collect, get, pattern, put, rejectsWith, type ContractTest } from './harness.ts';

const sizes = [0, 1, 4096, 65_535, 65_536, 65_537, 1_048_576, 5_242_881];

const allHeaders = {
  'content-type': 'application/x-test; charset=utf-8',
  'cache-control': 'max-age=60, private',
  'content-disposition': 'attachment; filename="a b.txt"',
  'content-encoding': 'gzip',
  'content-language': 'de, en',
  expires: 'Thu, 01 Dec 2044 16:00:00 GMT',
  'x-amz-meta-one': 'first value',
  'x-amz-meta-with-dash': 'a=b; c="d"',
};

/** Whole objects: bytes, metadata, ranges, deletion. */
export const objectTests: readonly ContractTest[] = [
  {
    name: 'gives back what was put, at every size',
    run: async (context) => {
      for (const size of sizes) {
        const bytes = pattern(size, size + 1);
        const etag = await put(context, `size-${size}`, bytes);
        const object = await context.store.getObject({ bucket: context.bucket, key: `size-${size}` });
        assert.deepEqual(
          { etag: object.etag, size: object.sizeBytes, offset: object.offsetBytes, length: object.lengthBytes },
          { etag, size, offset: 0, length: size },
        );
        assert.ok(bytes.equals(await collect(object.body)), `${size} bytes came back changed`);
      }
    },
  },
  {
    name: 'gives quoted ETags that change with the content',
    run: async (context) => {
      const first = await put(context, 'k', 'one');
      const second = await put(context, 'k', 'two');
      assert.match(first, /^"[\w-]+"$/);
      assert.notEqual(first, second);
      assert.equal((await context.store.headObject({ bucket: context.bucket, key: 'k' })).etag, second);
    },
  },
  {
    name: 'overwrites bytes and metadata as a whole',
    run: async (context) => {
      await put(context, 'k', pattern(100_000), { headers: { 'x-amz-meta-old': '1', 'content-type': 'text/old' } });
      await put(context, 'k', 'short', { headers: { 'x-amz-meta-new': '2' } });
      const head = await context.store.headObject({ bucket: context.bucket, key: 'k' });
      assert.equal(head.sizeBytes, 5);
      assert.equal(head.headers['x-amz-meta-new'], '2');
      assert.equal(head.headers['x-amz-meta-old'], undefined);
      assert.notEqual(head.headers['content-type'], 'text/old');
      assert.equal((await get(context, 'k')).toString(), 'short');
    },
  },
  {
    name: 'keeps system headers and user metadata',
    run: async (context) => {
      await put(context, 'k', 'x', { headers: allHeaders });
      const address = { bucket: context.bucket, key: 'k' };
      const object = await context.store.getObject(address);
      await object.discard();
      for (const { headers } of [object, await context.store.headObject(address)]) {
        for (const [name, value] of Object.entries(allHeaders)) assert.equal(headers[name], value, name);
      }
    },
  },
  {
    name: 'counts the tags of an object',
    run: async (context) => {
      await put(context, 'k', 'x', { headers: { 'x-amz-tagging': 'a=1&b=two%20words' } });
      const object = await context.store.getObject({ bucket: context.bucket, key: 'k' });
      await object.discard();
      assert.equal(object.headers['x-amz-tagging-count'], '2');
    },
  },
  {
    name: 'dates objects in HTTP form, to the second',
    run: async (context) => {
      const earliest = Math.floor(Date.now() / 1000) * 1000 - 60_000;
      await put(context, 'k', 'x');
      const { lastModified } = await context.store.headObject({ bucket: context.bucket, key: 'k' });
      assert.match(lastModified, /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
      assert.ok(Date.parse(lastModified) >= earliest && Date.parse(lastModified) <= Date.now() + 60_000);
    },
  },
  {
    name: 'answers NoSuchKey for what is not there',
    run: async (context) => {
      await put(context, 'present', 'x');
      const { store, bucket } = context;
      for (const key of ['absent', 'presen', 'present2', 'Present']) {
        await rejectsWith(store.getObject({ bucket, key }), 'NoSuchKey', 404);
        await rejectsWith(store.headObject({ bucket, key }), 'NoSuchKey', 404);
      }
    },
  },
  {
    name: 'deletes objects, and again without an error',
    run: async (context) => {
      const { store, bucket } = context;
      await put(context, 'k', 'x');
      await store.deleteObject({ bucket, key: 'k' });
      await rejectsWith(store.getObject({ bucket, key: 'k' }), 'NoSuchKey', 404);
      await store.deleteObject({ bucket, key: 'k' });
      await put(context, 'k', 'again');
      assert.equal((await get(context, 'k')).toString(), 'again');
    },
  },
  {
    name: 'deletes many objects in one call',
    run: async (context) => {
      const { store, bucket } = context;
      for (const key of ['a', 'b', 'c']) await put(context, key, key);
      const outcomes = await store.deleteObjects({
        bucket,
        objects: [{ key: 'a' }, { key: 'not there' }, { key: 'c' }],
      });
      assert.deepEqual(outcomes.map((outcome) => outcome.key).toSorted(), ['a', 'c', 'not there']);
      for (const outcome of outcomes) assert.equal(outcome.errorCode, undefined, outcome.key);
      const { objects } = await store.listObjects({ bucket, version: 2 });
      assert.deepEqual(
        objects.map(({ key }) => key),
        ['b'],
      );
    },
  },
  {
    name: 'takes version "null" for the object of a bucket without versions',
    run: async (context) => {
      const { store, bucket } = context;
      await put(context, 'k', 'x');
      assert.equal((await store.headObject({ bucket, key: 'k', versionId: 'null' })).sizeBytes, 1);
      const object = await store.getObject({ bucket, key: 'k', versionId: 'null' });
      assert.equal((await collect(object.body)).toString(), 'x');
    },
  },
  {
    name: 'answers NoSuchVersion for versions that do not exist',
    run: async (context) => {
      const { store, bucket } = context;
      await put(context, 'k', 'x');
      const address = { bucket, key: 'k', versionId: '3f1c6a52-0a6b-4a29-9d93-0a8a0a4a6a11' };
      await rejectsWith(store.getObject(address), 'NoSuchVersion', 404);
    },
  },
  {
    name: 'reads ranges of every form',
    run: async (context) => {
      const { store, bucket } = context;
      const bytes = pattern(300_000, 7);
      await put(context, 'k', bytes);
      const table = [
        { range: { first: 0 }, from: 0, to: 300_000 },
        { range: { first: 0, last: 0 }, from: 0, to: 1 },
        { range: { first: 1, last: 65_536 }, from: 1, to: 65_537 },
        { range: { first: 65_535, last: 262_144 }, from: 65_535, to: 262_145 },
        { range: { first: 299_999 }, from: 299_999, to: 300_000 },
        { range: { first: 299_000, last: 999_999_999 }, from: 299_000, to: 300_000 },
        { range: { suffix: 1 }, from: 299_999, to: 300_000 },
        { range: { suffix: 262_144 }, from: 37_856, to: 300_000 },
        { range: { suffix: 999_999_999 }, from: 0, to: 300_000 },
      ];
      for (const { range, from, to } of table) {
        const object = await store.getObject({ bucket, key: 'k', range });
        assert.deepEqual(
          { size: object.sizeBytes, offset: object.offsetBytes, length: object.lengthBytes },
          { size: 300_000, offset: from, length: to - from },
          JSON.stringify(range),
        );
        assert.ok(bytes.subarray(from, to).equals(await collect(object.body)), JSON.stringify(range));
      }
    },
  },
  {
    name: 'refuses ranges outside of the object',
    run: async (context) => {
      const { store, bucket } = context;
      await put(context, 'k', pattern(10));
      await put(context, 'empty', '');
      for (const range of [{ first: 10 }, { first: 10, last: 20 }, { first: 11 }, { suffix: 0 }]) {
        await rejectsWith(store.getObject({ bucket, key: 'k', range }), 'InvalidRange', 416);
      }
      await rejectsWith(store.getObject({ bucket, key: 'empty', range: { first: 0 } }), 'InvalidRange', 416);
    },
  },
];
