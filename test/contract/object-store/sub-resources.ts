import assert from 'node:assert/strict';
import type { SubResourceRequest } from '../../../src/store/object-store.ts';
import { collect, put, rejectsWith, type ContractContext, type ContractTest } from './harness.ts';

type Ask = Pick<SubResourceRequest, 'operation' | 'method' | 'query'> & {
  readonly key?: string;
  readonly document?: string;
};

async function ask({ store, bucket }: ContractContext, { document = '', ...request }: Ask) {
  const answer = await store.subResource({ ...request, bucket, headers: {}, document: Buffer.from(document) });
  const body = answer.body === undefined ? '' : (await collect(answer.body)).toString();
  if (answer.lengthBytes !== undefined) assert.equal(answer.lengthBytes, Buffer.byteLength(body));
  return { status: answer.status, body };
}

function tagging(key: string, value: string): string {
  return `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>${key}</Key><Value>${value}</Value></Tag></TagSet></Tagging>`;
}

/** Invariants of sub-resources: what a store has of them. */
export const subResourceTests: readonly ContractTest[] = [
  {
    name: 'keeps the tags of an object, without touching the object',
    async run(context) {
      const etag = await put(context, 'k', 'content', { headers: { 'x-amz-tagging': 'a=1&b=2' } });
      const query = { tagging: '' };
      const first = await ask(context, { operation: 'GetObjectTagging', method: 'GET', key: 'k', query });
      assert.equal(first.status, 200);
      assert.match(first.body, /<Key>a<\/Key><Value>1<\/Value>/);
      const document = tagging('c', '3');
      const changed = await ask(context, { operation: 'PutObjectTagging', method: 'PUT', key: 'k', query, document });
      assert.equal(changed.status, 200);
      const second = await ask(context, { operation: 'GetObjectTagging', method: 'GET', key: 'k', query });
      assert.match(second.body, /<Key>c<\/Key><Value>3<\/Value>/);
      assert.doesNotMatch(second.body, /<Key>a<\/Key>/);
      const deleted = await ask(context, { operation: 'DeleteObjectTagging', method: 'DELETE', key: 'k', query });
      assert.equal(deleted.status, 204);
      const third = await ask(context, { operation: 'GetObjectTagging', method: 'GET', key: 'k', query });
      assert.doesNotMatch(third.body, /<Key>/);
      assert.equal((await context.store.headObject({ bucket: context.bucket, key: 'k' })).etag, etag);
    },
  },
  {
    name: 'has no sub-resources of an object that is not there',
    async run(context) {
      const query = { tagging: '' };
      const missing = ask(context, { operation: 'GetObjectTagging', method: 'GET', key: 'absent', query });
      await rejectsWith(missing, 'NoSuchKey', 404);
    },
  },
  {
    name: 'has no sub-resources of a bucket that is not there',
    async run(context) {
      const elsewhere = { ...context, bucket: context.newBucketName() };
      const noBucket = ask(elsewhere, { operation: 'GetBucketTagging', method: 'GET', query: { tagging: '' } });
      await rejectsWith(noBucket, 'NoSuchBucket', 404);
    },
  },
  {
    name: 'keeps the tags of a bucket',
    async run(context) {
      const query = { tagging: '' };
      await rejectsWith(ask(context, { operation: 'GetBucketTagging', method: 'GET', query }), 'NoSuchTagSet', 404);
      const document = tagging('team', 'a b');
      const put = await ask(context, { operation: 'PutBucketTagging', method: 'PUT', query, document });
      assert.ok(put.status === 204 || put.status === 200, String(put.status));
      const { body } = await ask(context, { operation: 'GetBucketTagging', method: 'GET', query });
      assert.match(body, /<Key>team<\/Key><Value>a b<\/Value>/);
      const deleted = await ask(context, { operation: 'DeleteBucketTagging', method: 'DELETE', query });
      assert.equal(deleted.status, 204);
      await rejectsWith(ask(context, { operation: 'GetBucketTagging', method: 'GET', query }), 'NoSuchTagSet', 404);
    },
  },
  {
    name: 'says that versioning was never enabled',
    async run(context) {
      const answer = await ask(context, { operation: 'GetBucketVersioning', method: 'GET', query: { versioning: '' } });
      assert.equal(answer.status, 200);
      assert.match(answer.body, /<VersioningConfiguration/);
      assert.doesNotMatch(answer.body, /<Status>Enabled/);
    },
  },
];

/** Invariants of version listings in a bucket without versioning. */
export const versionTests: readonly ContractTest[] = [
  {
    name: 'lists every object as its only version, "null"',
    async run(context) {
      const { store, bucket } = context;
      const etag = await put(context, 'a', 'first');
      await put(context, 'dir/b', 'second one');
      const page = await store.listVersions({ bucket });
      assert.equal(page.isTruncated, false);
      const shown = page.versions.map(({ kind, key, versionId, isLatest, sizeBytes }) => ({
        kind,
        key,
        versionId,
        isLatest,
        sizeBytes,
      }));
      assert.deepEqual(shown, [
        { kind: 'version', key: 'a', versionId: 'null', isLatest: true, sizeBytes: 5 },
        { kind: 'version', key: 'dir/b', versionId: 'null', isLatest: true, sizeBytes: 10 },
      ]);
      assert.equal(page.versions[0]?.etag, etag);
      const rolled = await store.listVersions({ bucket, delimiter: '/' });
      assert.deepEqual([rolled.versions.map(({ key }) => key), rolled.commonPrefixes], [['a'], ['dir/']]);
      const under = await store.listVersions({ bucket, prefix: 'dir/' });
      assert.deepEqual(
        under.versions.map(({ key }) => key),
        ['dir/b'],
      );
    },
  },
  {
    name: 'lists versions page by page',
    async run(context) {
      const { store, bucket } = context;
      const keys = ['a', 'b c', 'd+e', 'ü', 'z'];
      for (const key of keys) await put(context, key, key);
      const seen: string[] = [];
      let markers: { readonly keyMarker?: string; readonly versionIdMarker?: string } = {};
      for (let pages = 0; ; pages++) {
        assert.ok(pages < 10, 'a listing that never ends');
        const page = await store.listVersions({ bucket, maxKeys: 2, ...markers });
        assert.ok(page.versions.length <= 2);
        seen.push(...page.versions.map(({ key }) => key));
        if (!page.isTruncated) break;
        assert.ok(page.nextKeyMarker !== undefined);
        const { nextKeyMarker: keyMarker, nextVersionIdMarker: versionIdMarker } = page;
        markers = { keyMarker, ...(versionIdMarker === undefined ? {} : { versionIdMarker }) };
      }
      assert.deepEqual(seen, ['a', 'b c', 'd+e', 'z', 'ü']);
    },
  },
];
