import assert from 'node:assert/strict';
import type { Conditions } from '../../../src/store/object-store.ts';
import { S3Error } from '../../../src/s3/s3-error.ts';
import { collect, get, pattern, put, rejectsWith, type ContractContext, type ContractTest } from './harness.ts';

const other = '"ffffffffffffffffffffffffffffffff"';

interface Row {
  readonly conditions: Conditions;
  readonly outcome: 'ok' | 'NotModified' | 'PreconditionFailed';
}

/** What RFC 9110 and the S3 API say of an object with this ETag that was changed between `before` and `after`. */
function readTable(etag: string, lastModified: string): Row[] {
  const before = new Date(Date.parse(lastModified) - 3_600_000).toUTCString();
  const after = new Date(Date.parse(lastModified) + 1000).toUTCString();
  return [
    { conditions: {}, outcome: 'ok' },
    { conditions: { ifMatch: etag }, outcome: 'ok' },
    { conditions: { ifMatch: '*' }, outcome: 'ok' },
    { conditions: { ifMatch: other }, outcome: 'PreconditionFailed' },
    { conditions: { ifNoneMatch: etag }, outcome: 'NotModified' },
    { conditions: { ifNoneMatch: '*' }, outcome: 'NotModified' },
    { conditions: { ifNoneMatch: other }, outcome: 'ok' },
    { conditions: { ifModifiedSince: before }, outcome: 'ok' },
    { conditions: { ifModifiedSince: lastModified }, outcome: 'NotModified' },
    { conditions: { ifUnmodifiedSince: before }, outcome: 'PreconditionFailed' },
    { conditions: { ifUnmodifiedSince: lastModified }, outcome: 'ok' },
    { conditions: { ifUnmodifiedSince: after }, outcome: 'ok' },
    // The S3 API: ETags win over dates.
    { conditions: { ifMatch: etag, ifUnmodifiedSince: before }, outcome: 'ok' },
    { conditions: { ifNoneMatch: etag, ifModifiedSince: before }, outcome: 'NotModified' },
    { conditions: { ifNoneMatch: other, ifModifiedSince: lastModified }, outcome: 'ok' },
    { conditions: { ifMatch: other, ifNoneMatch: etag }, outcome: 'PreconditionFailed' },
  ];
}

async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'ok';
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    const status = { NotModified: 304, PreconditionFailed: 412, NoSuchKey: 404 }[error.code];
    assert.equal(error.status, status, `status of ${error.code}`);
    return error.code;
  }
}

/** Runs `count` calls at once; answers how many succeeded, and fails on anything but a lost race. */
async function winners(count: number, call: (index: number) => Promise<unknown>): Promise<number> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, (_, index) => call(index)));
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') continue;
    const error: unknown = outcome.reason;
    assert.ok(error instanceof S3Error, String(error));
    // AWS answers 409 to the later of two conditional writes that overlap.
    assert.ok(['PreconditionFailed', 'ConditionalRequestConflict'].includes(error.code), error.code);
  }
  return outcomes.filter((outcome) => outcome.status === 'fulfilled').length;
}

async function readBoth({ store, bucket }: ContractContext, conditions: Conditions): Promise<[string, string]> {
  const address = { bucket, key: 'k', conditions };
  const read = async () => {
    const object = await store.getObject(address);
    await collect(object.body);
  };
  return [await outcomeOf(read()), await outcomeOf(store.headObject(address))];
}

/** Conditional reads, writes and deletes. */
export const conditionTests: readonly ContractTest[] = [
  {
    name: 'evaluates conditions of reads',
    run: async (context) => {
      const etag = await put(context, 'k', 'x');
      const { lastModified } = await context.store.headObject({ bucket: context.bucket, key: 'k' });
      for (const { conditions, outcome } of readTable(etag, lastModified)) {
        assert.deepEqual(await readBoth(context, conditions), [outcome, outcome], JSON.stringify(conditions));
      }
    },
  },
  {
    name: 'says NoSuchKey to conditional reads of what is not there',
    run: async (context) => {
      for (const conditions of [{ ifMatch: other }, { ifNoneMatch: other }, { ifNoneMatch: '*' }]) {
        assert.deepEqual(await readBoth(context, conditions), ['NoSuchKey', 'NoSuchKey'], JSON.stringify(conditions));
      }
    },
  },
  {
    name: 'evaluates the condition before the range',
    run: async (context) => {
      await put(context, 'k', pattern(10));
      const request = { bucket: context.bucket, key: 'k', range: { first: 5 } };
      await rejectsWith(
        context.store.getObject({ ...request, range: { first: 50 }, conditions: { ifMatch: other } }),
        'PreconditionFailed',
        412,
      );
      await rejectsWith(
        context.store.getObject({ ...request, conditions: { ifMatch: other } }),
        'PreconditionFailed',
        412,
      );
    },
  },
  {
    name: 'creates only with If-None-Match: *',
    run: async (context) => {
      const conditions = { ifNoneMatch: '*' };
      await put(context, 'k', 'first', { conditions });
      await rejectsWith(put(context, 'k', 'second', { conditions }), 'PreconditionFailed', 412);
      assert.equal((await get(context, 'k')).toString(), 'first');
      await context.store.deleteObject({ bucket: context.bucket, key: 'k' });
      await put(context, 'k', 'third', { conditions });
      assert.equal((await get(context, 'k')).toString(), 'third');
    },
  },
  {
    name: 'replaces only with If-Match',
    run: async (context) => {
      const first = await put(context, 'k', 'first');
      const second = await put(context, 'k', 'second', { conditions: { ifMatch: first } });
      await rejectsWith(put(context, 'k', 'third', { conditions: { ifMatch: first } }), 'PreconditionFailed', 412);
      assert.equal((await get(context, 'k')).toString(), 'second');
      assert.equal((await context.store.headObject({ bucket: context.bucket, key: 'k' })).etag, second);
      await rejectsWith(put(context, 'absent', 'x', { conditions: { ifMatch: first } }), 'NoSuchKey', 404);
      await rejectsWith(context.store.headObject({ bucket: context.bucket, key: 'absent' }), 'NoSuchKey', 404);
    },
  },
  {
    name: 'lets one of many creators win',
    run: async (context) => {
      const conditions = { ifNoneMatch: '*' };
      assert.equal(await winners(8, (index) => put(context, 'k', pattern(50_000, index), { conditions })), 1);
      assert.equal((await get(context, 'k')).length, 50_000);
    },
  },
  {
    name: 'lets one of many replacers win',
    run: async (context) => {
      const conditions = { ifMatch: await put(context, 'k', 'first') };
      assert.equal(await winners(8, (index) => put(context, 'k', pattern(50_000, index), { conditions })), 1);
      assert.equal((await get(context, 'k')).length, 50_000);
    },
  },
  {
    name: 'deletes only with If-Match',
    run: async (context) => {
      const { store, bucket } = context;
      const etag = await put(context, 'k', 'x');
      await rejectsWith(
        store.deleteObject({ bucket, key: 'k', conditions: { ifMatch: other } }),
        'PreconditionFailed',
        412,
      );
      assert.equal((await get(context, 'k')).toString(), 'x');
      await store.deleteObject({ bucket, key: 'k', conditions: { ifMatch: etag } });
      await rejectsWith(store.headObject({ bucket, key: 'k' }), 'NoSuchKey', 404);
    },
  },
];
