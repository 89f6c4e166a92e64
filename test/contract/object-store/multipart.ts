import assert from 'node:assert/strict';
import {
  collect,
  get,
  pattern,
  put,
  putPart,
  rejectsWith,
  startUpload,
  type ContractContext,
  type ContractTest,
} from './harness.ts';

const minPartBytes = 5 * 1024 * 1024;

/** Reads `from`..`to` (exclusive) as a range. */
async function slice({ store, bucket }: ContractContext, key: string, from: number, to: number): Promise<Buffer> {
  const object = await store.getObject({ bucket, key, range: { first: from, last: to - 1 } });
  assert.deepEqual([object.offsetBytes, object.lengthBytes], [from, to - from]);
  return await collect(object.body);
}

/** Multipart uploads. */
export const multipartTests: readonly ContractTest[] = [
  {
    name: 'reads the parts of an object one by one',
    run: async (context) => {
      const { store, bucket } = context;
      const upload = await startUpload(context, 'k');
      const parts = [pattern(minPartBytes + 1, 1), pattern(minPartBytes, 2), pattern(9, 3)];
      const sent = [];
      for (const [index, part] of parts.entries()) sent.push(await putPart(context, upload, index + 1, part));
      await store.completeUpload({ bucket, ...upload, parts: sent });
      let offset = 0;
      for (const [index, part] of parts.entries()) {
        const object = await store.getObject({ bucket, key: 'k', partNumber: index + 1 });
        assert.deepEqual(
          [object.offsetBytes, object.lengthBytes, object.sizeBytes, object.headers['x-amz-mp-parts-count']],
          [offset, part.length, 2 * minPartBytes + 10, '3'],
        );
        assert.ok(part.equals(await collect(object.body)));
        offset += part.length;
      }
      await rejectsWith(store.getObject({ bucket, key: 'k', partNumber: 4 }), 'InvalidPartNumber', 416);
      await put(context, 'single', 'content');
      const single = await store.getObject({ bucket, key: 'single', partNumber: 1 });
      assert.deepEqual([single.offsetBytes, single.lengthBytes, single.sizeBytes], [0, 7, 7]);
      assert.equal(single.headers['x-amz-mp-parts-count'], undefined);
      assert.equal((await collect(single.body)).toString(), 'content');
      await rejectsWith(store.getObject({ bucket, key: 'single', partNumber: 2 }), 'InvalidPartNumber', 416);
    },
  },
  {
    name: 'joins parts of odd sizes that were sent in any order',
    run: async (context) => {
      const parts = new Map([
        [2, pattern(minPartBytes + 1, 2)],
        [7, pattern(minPartBytes + 65_535, 7)],
        [10_000, pattern(100, 10)],
      ]);
      const upload = await startUpload(context, 'k', {
        'content-type': 'text/multi',
        'x-amz-meta-part': 'of the whole',
      });
      const sent = [];
      for (const number of [10_000, 7, 2]) sent.unshift(await putPart(context, upload, number, parts.get(number)!));
      await rejectsWith(context.store.headObject({ bucket: context.bucket, key: 'k' }), 'NoSuchKey', 404);
      const { etag } = await context.store.completeUpload({ bucket: context.bucket, ...upload, parts: sent });
      assert.match(etag, /^"[0-9a-f]{32}-3"$/);
      const whole = Buffer.concat([...parts.values()]);
      assert.ok(whole.equals(await get(context, 'k')));
      const head = await context.store.headObject({ bucket: context.bucket, key: 'k' });
      assert.deepEqual(
        [head.etag, head.sizeBytes, head.headers['content-type'], head.headers['x-amz-meta-part']],
        [etag, whole.length, 'text/multi', 'of the whole'],
      );
      const border = minPartBytes + 1;
      for (const [from, to] of [
        [0, 10],
        [border - 5, border],
        [border - 5, border + 5],
        [border, border + 1],
        [10, whole.length - 10],
        [whole.length - 101, whole.length],
        [whole.length - 1, whole.length],
      ] as const) {
        assert.ok(whole.subarray(from, to).equals(await slice(context, 'k', from, to)), `${from}..${to}`);
      }
    },
  },
  {
    name: 'takes the last bytes sent for a part',
    run: async (context) => {
      const upload = await startUpload(context, 'k');
      const first = await putPart(context, upload, 1, pattern(1000, 1));
      const second = await putPart(context, upload, 1, pattern(500, 2));
      assert.notEqual(first.etag, second.etag);
      const request = { bucket: context.bucket, ...upload };
      await rejectsWith(context.store.completeUpload({ ...request, parts: [first] }), 'InvalidPart', 400);
      await context.store.completeUpload({ ...request, parts: [second] });
      assert.ok(pattern(500, 2).equals(await get(context, 'k')));
    },
  },
  {
    name: 'leaves out parts that are not named',
    run: async (context) => {
      const upload = await startUpload(context, 'k');
      const first = await putPart(context, upload, 1, pattern(10, 1));
      await putPart(context, upload, 2, pattern(10, 2));
      await context.store.completeUpload({ bucket: context.bucket, ...upload, parts: [first] });
      assert.ok(pattern(10, 1).equals(await get(context, 'k')));
    },
  },
  {
    name: 'refuses parts that are missing, out of order, with another ETag or too small',
    run: async (context) => {
      const { store, bucket } = context;
      await put(context, 'k', 'old');
      const upload = await startUpload(context, 'k');
      const one = await putPart(context, upload, 1, pattern(100, 1));
      const two = await putPart(context, upload, 2, pattern(100, 2));
      const complete = (...parts: (typeof one)[]) => store.completeUpload({ bucket, ...upload, parts });
      await rejectsWith(complete({ partNumber: 3, etag: one.etag }), 'InvalidPart', 400);
      await rejectsWith(complete({ partNumber: 1, etag: two.etag }), 'InvalidPart', 400);
      await rejectsWith(complete(two, one), 'InvalidPartOrder', 400);
      await rejectsWith(complete(one, two), 'EntityTooSmall', 400);
      assert.equal((await get(context, 'k')).toString(), 'old');
      await complete(two);
      assert.ok(pattern(100, 2).equals(await get(context, 'k')));
    },
  },
  {
    name: 'refuses part numbers outside of 1 to 10000',
    run: async (context) => {
      const upload = await startUpload(context, 'k');
      for (const number of [0, 10_001]) {
        await rejectsWith(putPart(context, upload, number, pattern(10)), 'InvalidArgument', 400);
      }
    },
  },
  {
    name: 'knows no upload after it was completed, aborted or never started',
    run: async (context) => {
      const { store, bucket } = context;
      const completed = await startUpload(context, 'done');
      const part = await putPart(context, completed, 1, pattern(10));
      await store.completeUpload({ bucket, ...completed, parts: [part] });
      const aborted = await startUpload(context, 'aborted');
      await putPart(context, aborted, 1, pattern(10));
      await store.abortUpload({ bucket, ...aborted });
      for (const upload of [completed, aborted]) {
        await rejectsWith(putPart(context, upload, 1, pattern(10)), 'NoSuchUpload', 404);
        await rejectsWith(store.listParts({ bucket, ...upload }), 'NoSuchUpload', 404);
      }
      await rejectsWith(store.completeUpload({ bucket, ...aborted, parts: [part] }), 'NoSuchUpload', 404);
      await rejectsWith(store.headObject({ bucket, key: 'aborted' }), 'NoSuchKey', 404);
      assert.equal((await get(context, 'done')).length, 10);
    },
  },
  {
    name: 'keeps an upload to its key',
    run: async (context) => {
      const upload = await startUpload(context, 'k');
      const other = { key: 'another', uploadId: upload.uploadId };
      await rejectsWith(putPart(context, other, 1, pattern(10)), 'NoSuchUpload', 404);
    },
  },
  {
    name: 'completes one of two calls at once, or both alike',
    run: async (context) => {
      const upload = await startUpload(context, 'k');
      const part = await putPart(context, upload, 1, pattern(1000));
      const complete = () => context.store.completeUpload({ bucket: context.bucket, ...upload, parts: [part] });
      const outcomes = await Promise.allSettled([complete(), complete()]);
      const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.etag] : []));
      assert.ok(won.length > 0);
      assert.equal(new Set(won).size, 1);
      assert.ok(pattern(1000).equals(await get(context, 'k')));
    },
  },
  {
    name: 'evaluates the conditions of a completion',
    run: async (context) => {
      const { store, bucket } = context;
      const etag = await put(context, 'k', 'old');
      const upload = await startUpload(context, 'k');
      const parts = [await putPart(context, upload, 1, pattern(10))];
      const complete = (conditions: { ifMatch?: string; ifNoneMatch?: string }) =>
        store.completeUpload({ bucket, ...upload, parts, conditions });
      await rejectsWith(complete({ ifNoneMatch: '*' }), 'PreconditionFailed', 412);
      await rejectsWith(complete({ ifMatch: '"ffffffffffffffffffffffffffffffff"' }), 'PreconditionFailed', 412);
      assert.equal((await get(context, 'k')).toString(), 'old');
      await complete({ ifMatch: etag });
      assert.ok(pattern(10).equals(await get(context, 'k')));
    },
  },
  {
    name: 'lets a reader finish a joined object while it is replaced',
    run: async (context) => {
      const first = pattern(minPartBytes, 1);
      const second = pattern(minPartBytes, 2);
      const upload = await startUpload(context, 'k');
      const parts = [await putPart(context, upload, 1, first), await putPart(context, upload, 2, second)];
      await context.store.completeUpload({ bucket: context.bucket, ...upload, parts });
      const object = await context.store.getObject({ bucket: context.bucket, key: 'k' });
      const chunks: Uint8Array[] = [];
      for await (const chunk of object.body) {
        if (chunks.length === 0) await put(context, 'k', 'new');
        chunks.push(chunk);
      }
      assert.ok(Buffer.concat([first, second]).equals(Buffer.concat(chunks)));
      assert.equal((await get(context, 'k')).toString(), 'new');
    },
  },
];
