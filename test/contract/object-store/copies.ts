import assert from 'node:assert/strict';
import type { Conditions, CopyObjectRequest, CopyResult } from '../../../src/store/object-store.ts';
import {
  collect,
  get,
  pattern,
  put,
  putPart,
  rejectsWith,
  removeBucket,
  startUpload,
  type ContractContext,
  type ContractTest,
} from './harness.ts';

const other = '"ffffffffffffffffffffffffffffffff"';
const minPartBytes = 5 * 1024 * 1024;

const described = {
  'content-type': 'text/source',
  'cache-control': 'max-age=60',
  'content-disposition': 'attachment; filename="a b.txt"',
  'content-encoding': 'gzip',
  'content-language': 'de',
  'x-amz-meta-one': 'first value',
};

/** Copies `k` within the test's bucket to `copy`, unless told otherwise. */
async function copy({ store, bucket }: ContractContext, request: Partial<CopyObjectRequest> = {}): Promise<CopyResult> {
  const source = { bucket, key: 'k' };
  return await store.copyObject({
    bucket,
    key: 'copy',
    source,
    metadata: 'COPY',
    tags: 'COPY',
    headers: {},
    ...request,
  });
}

async function headers({ store, bucket }: ContractContext, key: string): Promise<Readonly<Record<string, string>>> {
  return (await store.headObject({ bucket, key })).headers;
}

function picked(from: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string | undefined> {
  return Object.fromEntries(names.map((name) => [name, from[name]]));
}

type SourceRow = readonly [conditions: Conditions, outcome: 'ok' | 'fails'];

async function datedSource(context: ContractContext) {
  const etag = await put(context, 'k', 'content');
  const { lastModified } = await context.store.headObject({ bucket: context.bucket, key: 'k' });
  return { etag, lastModified, before: new Date(Date.parse(lastModified) - 3_600_000).toUTCString() };
}

async function checkSourceRows(context: ContractContext, rows: readonly SourceRow[]): Promise<void> {
  for (const [sourceConditions, outcome] of rows) {
    const copying = copy(context, { sourceConditions });
    if (outcome === 'ok') await copying;
    else await rejectsWith(copying, 'PreconditionFailed', 412);
  }
}

/** Copies within the store. */
export const copyTests: readonly ContractTest[] = [
  {
    name: 'copies bytes and what describes them',
    run: async (context) => {
      for (const size of [0, 1, 65_537, 5_242_881]) {
        const bytes = pattern(size, size + 1);
        await put(context, 'k', bytes, { headers: described });
        const { etag, lastModified } = await copy(context);
        assert.match(etag, /^"[\w-]+"$/);
        assert.ok(Math.abs(Date.parse(lastModified) - Date.now()) < 300_000, lastModified);
        const object = await context.store.getObject({ bucket: context.bucket, key: 'copy' });
        assert.equal(object.etag, etag);
        assert.deepEqual(picked(object.headers, Object.keys(described)), described);
        assert.ok(bytes.equals(await collect(object.body)), `${size} bytes`);
        assert.ok(bytes.equals(await get(context, 'k')), 'the source is as it was');
      }
    },
  },
  {
    name: 'copies Expires',
    run: async (context) => {
      const expires = 'Thu, 01 Dec 2044 16:00:00 GMT';
      await put(context, 'k', 'content', { headers: { expires } });
      await copy(context);
      assert.equal((await headers(context, 'copy'))['expires'], expires);
    },
  },
  {
    name: 'replaces what describes a copy where it is asked to',
    run: async (context) => {
      await put(context, 'k', 'content', { headers: { ...described, 'x-amz-meta-old': 'x' } });
      const replacing = { 'content-type': 'text/copy', 'x-amz-meta-new': 'y' };
      await copy(context, { metadata: 'REPLACE', headers: replacing });
      const answered = await headers(context, 'copy');
      assert.deepEqual(picked(answered, Object.keys(replacing)), replacing);
      for (const name of ['cache-control', 'content-encoding', 'x-amz-meta-one', 'x-amz-meta-old']) {
        assert.equal(answered[name], undefined, name);
      }
      assert.equal((await get(context, 'copy')).toString(), 'content');
    },
  },
  {
    name: 'copies tags or replaces them',
    run: async (context) => {
      await put(context, 'k', 'content', { headers: { 'x-amz-tagging': 'a=1&b=2&c=3' } });
      await copy(context, { metadata: 'REPLACE' });
      assert.equal((await headers(context, 'copy'))['x-amz-tagging-count'], '3');
      await copy(context, { tags: 'REPLACE', headers: { 'x-amz-tagging': 'd=4' } });
      assert.equal((await headers(context, 'copy'))['x-amz-tagging-count'], '1');
      await copy(context, { tags: 'REPLACE' });
      assert.equal((await headers(context, 'copy'))['x-amz-tagging-count'], undefined);
    },
  },
  {
    name: 'copies an object of several parts whole',
    run: async (context) => {
      const upload = await startUpload(context, 'k', { 'x-amz-meta-part': 'of the whole' });
      const parts = [pattern(minPartBytes + 3, 1), pattern(minPartBytes, 2), pattern(7, 3)];
      const sent = [];
      for (const [index, part] of parts.entries()) sent.push(await putPart(context, upload, index + 1, part));
      await context.store.completeUpload({ bucket: context.bucket, ...upload, parts: sent });
      await copy(context);
      await context.store.deleteObject({ bucket: context.bucket, key: 'k' });
      assert.ok(Buffer.concat(parts).equals(await get(context, 'copy')));
      assert.equal((await headers(context, 'copy'))['x-amz-meta-part'], 'of the whole');
      const range = { first: minPartBytes, last: minPartBytes + 9 };
      const object = await context.store.getObject({ bucket: context.bucket, key: 'copy', range });
      assert.ok(
        Buffer.concat(parts)
          .subarray(range.first, range.last + 1)
          .equals(await collect(object.body)),
      );
    },
  },
  {
    name: 'copies from another bucket',
    run: async (context) => {
      const { store, newBucketName } = context;
      const source = newBucketName();
      await store.createBucket(source, {});
      try {
        await put({ ...context, bucket: source }, 'k', 'from elsewhere');
        await copy(context, { source: { bucket: source, key: 'k' } });
        assert.equal((await get(context, 'copy')).toString(), 'from elsewhere');
      } finally {
        await removeBucket(store, source);
      }
    },
  },
  {
    name: 'copies keys of every kind',
    run: async (context) => {
      for (const key of ['a b', 'a+b', 'a%2Fb', 'dir/with/slashes', 'q?x=y', 'ä/日本/😀', '#&=;:@$,!*()']) {
        await put(context, key, key);
        await copy(context, { source: { bucket: context.bucket, key }, key: `copy of ${key}` });
        assert.equal((await get(context, `copy of ${key}`)).toString(), key);
      }
    },
  },
  {
    name: 'copies a key that ends like the name of a version',
    run: async (context) => {
      const key = 'q?versionId=x';
      await put(context, key, key);
      await copy(context, { source: { bucket: context.bucket, key } });
      assert.equal((await get(context, 'copy')).toString(), key);
    },
  },
  {
    name: 'copies the version "null" of an object without versions',
    run: async (context) => {
      await put(context, 'k', 'content');
      await copy(context, { source: { bucket: context.bucket, key: 'k', versionId: 'null' } });
      assert.equal((await get(context, 'copy')).toString(), 'content');
    },
  },
  {
    name: 'overwrites what stands at the destination',
    run: async (context) => {
      await put(context, 'copy', pattern(100_000), { headers: { 'x-amz-meta-old': 'x' } });
      await put(context, 'k', 'content');
      await copy(context);
      assert.equal((await get(context, 'copy')).toString(), 'content');
      assert.equal((await headers(context, 'copy'))['x-amz-meta-old'], undefined);
    },
  },
  {
    name: 'changes an object by a copy onto itself',
    run: async (context) => {
      const bytes = pattern(100_000, 5);
      await put(context, 'k', bytes, { headers: { ...described, 'x-amz-tagging': 'a=1' } });
      const headersOfCopy = { 'content-type': 'text/new', 'x-amz-meta-new': 'y' };
      const { etag } = await copy(context, { key: 'k', metadata: 'REPLACE', headers: headersOfCopy });
      const object = await context.store.getObject({ bucket: context.bucket, key: 'k' });
      assert.equal(object.etag, etag);
      assert.ok(bytes.equals(await collect(object.body)));
      const names = ['content-type', 'x-amz-meta-new', 'x-amz-meta-one', 'x-amz-tagging-count'];
      assert.deepEqual(picked(object.headers, names), {
        ...headersOfCopy,
        'x-amz-meta-one': undefined,
        'x-amz-tagging-count': '1',
      });
    },
  },
  {
    name: 'refuses a copy onto itself that changes nothing',
    run: async (context) => {
      await put(context, 'k', 'content');
      await rejectsWith(copy(context, { key: 'k' }), 'InvalidRequest', 400);
    },
  },
  {
    name: 'holds the source against ETags',
    run: async (context) => {
      const { etag } = await datedSource(context);
      await checkSourceRows(context, [
        [{ ifMatch: etag }, 'ok'],
        [{ ifMatch: other }, 'fails'],
        [{ ifNoneMatch: other }, 'ok'],
        [{ ifNoneMatch: etag }, 'fails'],
      ]);
    },
  },
  {
    name: 'holds the source against dates',
    run: async (context) => {
      const { lastModified, before } = await datedSource(context);
      await checkSourceRows(context, [
        [{ ifModifiedSince: before }, 'ok'],
        [{ ifModifiedSince: lastModified }, 'fails'],
        [{ ifUnmodifiedSince: lastModified }, 'ok'],
        [{ ifUnmodifiedSince: before }, 'fails'],
      ]);
    },
  },
  {
    name: 'lets ETags of a source win over dates',
    run: async (context) => {
      const { etag, before } = await datedSource(context);
      await checkSourceRows(context, [
        [{ ifMatch: etag, ifUnmodifiedSince: before }, 'ok'],
        [{ ifNoneMatch: etag, ifModifiedSince: before }, 'fails'],
      ]);
    },
  },
  {
    name: 'holds the destination against its conditions',
    run: async (context) => {
      await put(context, 'k', 'content');
      await copy(context, { conditions: { ifNoneMatch: '*' } });
      await rejectsWith(copy(context, { conditions: { ifNoneMatch: '*' } }), 'PreconditionFailed', 412);
      await rejectsWith(copy(context, { conditions: { ifMatch: other } }), 'PreconditionFailed', 412);
      const { etag } = await context.store.headObject({ bucket: context.bucket, key: 'copy' });
      await put(context, 'k', 'changed');
      await copy(context, { conditions: { ifMatch: etag } });
      assert.equal((await get(context, 'copy')).toString(), 'changed');
    },
  },
  {
    name: 'copies parts of an upload from objects and from ranges of them',
    run: async (context) => {
      const { store, bucket } = context;
      const bytes = pattern(minPartBytes + 70_000, 3);
      await put(context, 'k', bytes);
      const upload = await startUpload(context, 'joined');
      const source = { bucket, key: 'k' };
      const parts = [];
      for (const [index, range] of [undefined, { first: 5, last: minPartBytes + 4 }, { first: 7, last: 7 }].entries()) {
        const partNumber = index + 1;
        const ranged = range === undefined ? {} : { range };
        const { etag, lastModified } = await store.copyPart({ bucket, ...upload, partNumber, source, ...ranged });
        assert.ok(Math.abs(Date.parse(lastModified) - Date.now()) < 300_000, lastModified);
        parts.push({ partNumber, etag });
      }
      await store.completeUpload({ bucket, ...upload, parts });
      const expected = Buffer.concat([bytes, bytes.subarray(5, minPartBytes + 5), bytes.subarray(7, 8)]);
      assert.ok(expected.equals(await get(context, 'joined')));
    },
  },
  {
    name: 'holds the source of a part against its conditions',
    run: async (context) => {
      const { store, bucket } = context;
      const etag = await put(context, 'k', 'content');
      const upload = await startUpload(context, 'joined');
      const part = { bucket, ...upload, partNumber: 1, source: { bucket, key: 'k' } };
      await store.copyPart({ ...part, sourceConditions: { ifMatch: etag } });
      await rejectsWith(store.copyPart({ ...part, sourceConditions: { ifMatch: other } }), 'PreconditionFailed', 412);
      const unwanted = store.copyPart({ ...part, sourceConditions: { ifNoneMatch: etag } });
      await rejectsWith(unwanted, 'PreconditionFailed', 412);
      await rejectsWith(store.copyPart({ ...part, source: { bucket, key: 'absent' } }), 'NoSuchKey', 404);
      await store.abortUpload({ bucket, ...upload });
      await rejectsWith(store.copyPart(part), 'NoSuchUpload', 404);
    },
  },
  {
    name: 'answers for what is not there',
    run: async (context) => {
      const { bucket, newBucketName } = context;
      await rejectsWith(copy(context), 'NoSuchKey', 404);
      await put(context, 'k', 'content');
      const nowhere = newBucketName();
      await rejectsWith(copy(context, { source: { bucket: nowhere, key: 'k' } }), 'NoSuchBucket', 404);
      await rejectsWith(copy(context, { bucket: nowhere }), 'NoSuchBucket', 404);
      const { objects } = await context.store.listObjects({ bucket, version: 2 });
      assert.deepEqual(
        objects.map(({ key }) => key),
        ['k'],
      );
    },
  },
];
