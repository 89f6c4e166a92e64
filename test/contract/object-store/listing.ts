import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { listAll, pattern, put, rejectsWith, type ContractContext, type ContractTest } from './harness.ts';
import { naiveListing, type OracleRequest } from './listing-oracle.ts';

/** Key sets that any backend can hold: no empty segments, no key that is also a folder of another. */
const plainKeys = fc
  .uniqueArray(
    fc.array(fc.stringMatching(/^[ab0é][a-]?$/), { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/')),
    { minLength: 4, maxLength: 16 },
  )
  .map((keys) => keys.filter((key) => !keys.some((another) => another.startsWith(`${key}/`))));

/** A small alphabet, so that many keys share a beginning; neighbours in byte order, so that a jump too far is seen. */
const anyKeys = fc.uniqueArray(
  fc
    .array(fc.constantFrom('a', 'a', 'b', '/', '/', '0', '//', '.', '\u0001', '\u00e9', '\uff5e', '\u{1f600}'), {
      minLength: 1,
      maxLength: 4,
    })
    .map((pieces) => pieces.join('')),
  { minLength: 6, maxLength: 20 },
);

/** Requests made of pieces of the keys, so that most of them hit something. */
function requestsFor(keys: readonly string[]): fc.Arbitrary<OracleRequest> {
  const piece = fc
    .tuple(fc.constantFrom('', 'a', 'zz', ...keys), fc.nat(6), fc.constantFrom('', '', '/', 'a'))
    .map(([key, length, end]) => Array.from(key).slice(0, length).join('') + end);
  return fc.record({ prefix: piece, delimiter: fc.constantFrom('', '/', '/', 'a', 'a/'), after: piece });
}

async function fill(context: ContractContext, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => put(context, key, key)));
}

async function empty({ store, bucket }: ContractContext, keys: readonly string[]): Promise<void> {
  if (keys.length > 0) await store.deleteObjects({ bucket, objects: keys.map((key) => ({ key })) });
}

/** Compares both versions, whole and in pages, with the naive listing. */
async function compareWithOracle(
  context: ContractContext,
  keys: readonly string[],
  request: OracleRequest,
  pageSize: number,
): Promise<void> {
  const expected = naiveListing(keys, request);
  const { prefix = '', delimiter = '', after = '' } = request;
  const common = { ...(prefix === '' ? {} : { prefix }), ...(delimiter === '' ? {} : { delimiter }) };
  for (const version of [1, 2] as const) {
    const start = after === '' ? {} : version === 1 ? { marker: after } : { startAfter: after };
    const listed = await listAll(context, { version, ...common, ...start, maxKeys: pageSize });
    const message = `version ${version}, pages of ${pageSize}: ${JSON.stringify({ keys, ...request })}`;
    const texts = (kind: string) => expected.filter((entry) => entry.kind === kind).map((entry) => entry.text);
    assert.deepEqual(
      { keys: listed.keys, prefixes: listed.commonPrefixes },
      { keys: texts('key'), prefixes: texts('prefix') },
      message,
    );
    const { objects } = await context.store.listObjects({ bucket: context.bucket, version, ...common, ...start });
    assert.deepEqual(
      objects.map(({ key }) => key),
      texts('key'),
      message,
    );
  }
}

async function compareRandomly(context: ContractContext, keySets: fc.Arbitrary<string[]>): Promise<void> {
  const scenario = keySets.chain((keys) =>
    fc.record({
      keys: fc.constant(keys),
      requests: fc.array(fc.tuple(requestsFor(keys), fc.integer({ min: 1, max: 5 })), { minLength: 8, maxLength: 8 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(scenario, async ({ keys, requests }) => {
      await fill(context, keys);
      try {
        for (const [request, pageSize] of requests) await compareWithOracle(context, keys, request, pageSize);
      } finally {
        await empty(context, keys);
      }
    }),
    { numRuns: 12 },
  );
}

const tree = ['a', 'b/1', 'b/2', 'b/c/1', 'd', 'e/1', 'f'];

/** Listings: order, prefixes, delimiters, pages. */
export const listingTests: readonly ContractTest[] = [
  {
    name: 'lists an empty bucket',
    run: async ({ store, bucket }) => {
      for (const version of [1, 2] as const) {
        const page = await store.listObjects({ bucket, version, delimiter: '/' });
        assert.deepEqual([page.objects, page.commonPrefixes, page.isTruncated], [[], [], false]);
      }
    },
  },
  {
    name: 'lists size, ETag and time of each object',
    run: async (context) => {
      const etag = await put(context, 'k', pattern(1234));
      for (const version of [1, 2] as const) {
        const { objects } = await context.store.listObjects({ bucket: context.bucket, version });
        const [object] = objects;
        assert.ok(object !== undefined && objects.length === 1);
        assert.deepEqual([object.key, object.sizeBytes, object.etag], ['k', 1234, etag]);
        assert.match(object.lastModified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
        const head = await context.store.headObject({ bucket: context.bucket, key: 'k' });
        const listedSecond = Math.floor(Date.parse(object.lastModified) / 1000) * 1000;
        assert.equal(listedSecond, Date.parse(head.lastModified));
      }
    },
  },
  {
    name: 'lists in the order of UTF-8 bytes, not of UTF-16',
    run: async (context) => {
      // In UTF-16 the emoji's surrogates sort before U+FF5E; in UTF-8 they sort after it.
      const ordered = ['A', 'a', 'a-', 'a0', '\u00e9', '\uff5e', '\u{1f600}'];
      await fill(context, ordered.toReversed());
      assert.deepEqual((await listAll(context, { version: 2 })).keys, ordered);
    },
  },
  {
    name: 'shows writes and deletions at once',
    run: async (context) => {
      for (let round = 0; round < 5; round++) {
        await put(context, `k${round}`, 'x');
        assert.equal((await listAll(context, { version: 2 })).keys.length, 1);
        await context.store.deleteObject({ bucket: context.bucket, key: `k${round}` });
        assert.equal((await listAll(context, { version: 1 })).keys.length, 0);
      }
    },
  },
  {
    name: 'pages in every size, in both versions, with and without a delimiter',
    run: async (context) => {
      await fill(context, tree);
      for (const version of [1, 2] as const) {
        for (let maxKeys = 1; maxKeys <= tree.length + 1; maxKeys++) {
          const flat = await listAll(context, { version, maxKeys });
          assert.deepEqual(flat.keys, tree);
          assert.equal(flat.pages, Math.ceil(tree.length / maxKeys), 'an exact last page is not truncated');
          const rolled = await listAll(context, { version, maxKeys, delimiter: '/' });
          assert.deepEqual(rolled.keys, ['a', 'd', 'f']);
          assert.deepEqual(rolled.commonPrefixes, ['b/', 'e/']);
          assert.equal(rolled.pages, Math.ceil(5 / maxKeys));
        }
      }
    },
  },
  {
    name: 'skips a common prefix that is the marker',
    run: async (context) => {
      await fill(context, tree);
      const page = await context.store.listObjects({
        bucket: context.bucket,
        version: 1,
        delimiter: '/',
        marker: 'b/',
      });
      assert.deepEqual([page.objects.map(({ key }) => key), page.commonPrefixes], [['d', 'f'], ['e/']]);
    },
  },
  {
    name: 'starts after a key that does not exist',
    run: async (context) => {
      await fill(context, tree);
      assert.deepEqual((await listAll(context, { version: 2, startAfter: 'b/15' })).keys, tree.slice(2));
      assert.deepEqual((await listAll(context, { version: 1, marker: 'b/15' })).keys, tree.slice(2));
      assert.deepEqual((await listAll(context, { version: 2, startAfter: 'zzz' })).keys, []);
    },
  },
  {
    name: 'starts after a key that does not begin with the prefix',
    run: async (context) => {
      await fill(context, tree);
      for (const [after, expected] of [
        ['a', ['b/1', 'b/2', 'b/c/1']],
        ['b', ['b/1', 'b/2', 'b/c/1']],
        ['b0', []],
        ['c', []],
      ] as const) {
        assert.deepEqual(
          (await listAll(context, { version: 2, prefix: 'b/', startAfter: after })).keys,
          expected,
          after,
        );
        assert.deepEqual((await listAll(context, { version: 1, prefix: 'b/', marker: after })).keys, expected, after);
      }
    },
  },
  {
    name: 'gives nothing for a page of no keys',
    run: async (context) => {
      await fill(context, ['a', 'b']);
      for (const version of [1, 2] as const) {
        const page = await context.store.listObjects({ bucket: context.bucket, version, maxKeys: 0 });
        assert.deepEqual([page.objects, page.commonPrefixes, page.isTruncated], [[], [], false]);
      }
    },
  },
  {
    name: 'gives at most 1000 keys on a page',
    run: async (context) => {
      const keys = Array.from({ length: 1005 }, (_, index) => `k${String(index).padStart(5, '0')}`);
      for (let from = 0; from < keys.length; from += 50) await fill(context, keys.slice(from, from + 50));
      for (const version of [1, 2] as const) {
        const page = await context.store.listObjects({ bucket: context.bucket, version, maxKeys: 5000 });
        assert.equal(page.objects.length, 1000);
        assert.equal(page.isTruncated, true);
        const all = await listAll(context, { version });
        assert.deepEqual([all.keys, all.pages], [keys, 2]);
      }
      const outcomes = await context.store.deleteObjects({
        bucket: context.bucket,
        objects: keys.slice(0, 1000).map((key) => ({ key })),
      });
      assert.equal(outcomes.length, 1000);
      assert.deepEqual((await listAll(context, { version: 2 })).keys, keys.slice(1000));
    },
  },
  {
    name: 'refuses a continuation token that it did not give',
    run: async (context) => {
      const request = { bucket: context.bucket, version: 2, continuationToken: '\u0001 not a token' } as const;
      await rejectsWith(context.store.listObjects(request), 'InvalidArgument', 400);
    },
  },
  {
    name: 'agrees with a naive listing on random plain keys',
    run: async (context) => await compareRandomly(context, plainKeys),
  },
  {
    name: 'agrees with a naive listing on random keys of any form',
    run: async (context) => await compareRandomly(context, anyKeys),
  },
];
