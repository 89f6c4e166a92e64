/** What carries no object bytes reaches the backend and comes back: versions, tags, locks, configurations. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { plaintext } from './support/plaintext.ts';
import { S3CallError, type S3Client } from './support/s3-client.ts';
import { ownWorkspace, startSite } from './support/site.ts';

interface Version {
  readonly Key: string;
  readonly VersionId: string;
  readonly Size: number;
  readonly ETag: string;
  readonly IsLatest: boolean;
}

interface VersionsPage {
  readonly Versions?: readonly Version[];
  readonly DeleteMarkers?: readonly Pick<Version, 'Key' | 'VersionId' | 'IsLatest'>[];
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'no error';
  } catch (error) {
    if (error instanceof S3CallError) return error.code;
    throw error;
  }
}

async function putVersion(client: S3Client, key: string, length: number): Promise<string> {
  const body = plaintext(`version of ${length}`, length);
  const { VersionId }: { VersionId: string } = await client.call('put_object', {
    Bucket: 'versioned',
    Key: key,
    Body: { $base64: body.toString('base64') },
  });
  return VersionId;
}

describe('sub-resources, minio', () => {
  const workspace = ownWorkspace();

  test('a versioned bucket can be deleted once no version of a client is left', async () => {
    const { client } = await startSite('minio', workspace);
    await client.createBucket('versioned');
    const enabled = { Bucket: 'versioned', VersioningConfiguration: { Status: 'Enabled' } };
    await client.call('put_bucket_versioning', enabled);
    const VersionId = await putVersion(client, 'k', 1);
    await client.delete('versioned', 'k');
    const kept = client.call('delete_bucket', { Bucket: 'versioned' });
    assert.equal(await codeOf(kept), 'BucketNotEmpty');
    const page: VersionsPage = await client.call('list_object_versions', { Bucket: 'versioned' });
    const markers = (page.DeleteMarkers ?? []).map((marker) => marker.VersionId);
    assert.equal(markers.length, 1);
    for (const id of [VersionId, ...markers]) {
      await client.call('delete_object', { Bucket: 'versioned', Key: 'k', VersionId: id });
    }
    await client.call('delete_bucket', { Bucket: 'versioned' });
    assert.equal(await codeOf(client.list('versioned')), 'NoSuchBucket');
  });

  test('every version of an object is listed with its plaintext size, and can be read', async () => {
    const { client } = await startSite('minio', workspace);
    await client.createBucket('versioned');
    const enabled = { Bucket: 'versioned', VersioningConfiguration: { Status: 'Enabled' } };
    await client.call('put_bucket_versioning', enabled);
    const status: { Status?: string } = await client.call('get_bucket_versioning', { Bucket: 'versioned' });
    assert.equal(status.Status, 'Enabled');
    const lengths = [0, 1, 65_536, 70_001];
    const ids: string[] = [];
    for (const length of lengths) ids.push(await putVersion(client, 'k', length));
    const marker: { DeleteMarker?: boolean } = await client.call('delete_object', { Bucket: 'versioned', Key: 'k' });
    assert.equal(marker.DeleteMarker, true);
    assert.equal(await codeOf(client.get('versioned', 'k')), 'NoSuchKey');
    const page: VersionsPage = await client.call('list_object_versions', { Bucket: 'versioned' });
    const versions = page.Versions ?? [];
    assert.deepEqual(
      versions.map(({ VersionId, Size }) => [VersionId, Size]),
      lengths.map((length, index) => [ids[index], length]).toReversed(),
    );
    assert.deepEqual(
      page.DeleteMarkers?.map(({ Key, IsLatest }) => [Key, IsLatest]),
      [['k', true]],
    );
    for (const { VersionId, Size, ETag } of versions) {
      const head = await client.head('versioned', 'k', { VersionId });
      assert.deepEqual([head.ContentLength, head.ETag], [Size, ETag]);
      const { Body } = await client.get('versioned', 'k', { VersionId });
      assert.equal(Body.length, Size);
      assert.equal(Body.broken, null);
    }
    const range = await client.get('versioned', 'k', { VersionId: ids[3] ?? '', Range: 'bytes=65530-65540' });
    assert.equal(range.Body.length, 11);
  });

  test('locks, tags and configurations are kept by the backend', async () => {
    const { client } = await startSite('minio', workspace);
    await client.call('create_bucket', { Bucket: 'locked', ObjectLockEnabledForBucket: true });
    const until = new Date(Date.now() + 3_600_000).toISOString();
    await client.put('locked', 'k', Buffer.from('content'), {
      ObjectLockMode: 'GOVERNANCE',
      ObjectLockRetainUntilDate: until,
      Tagging: 'a=1&b=x%20y',
    });
    const head: { ObjectLockMode?: string; ContentLength: number } = await client.call('head_object', {
      Bucket: 'locked',
      Key: 'k',
    });
    assert.deepEqual([head.ObjectLockMode, head.ContentLength], ['GOVERNANCE', 7]);
    const hold = { Bucket: 'locked', Key: 'k' };
    await client.call('put_object_legal_hold', { ...hold, LegalHold: { Status: 'ON' } });
    const held: { LegalHold: { Status: string } } = await client.call('get_object_legal_hold', hold);
    assert.equal(held.LegalHold.Status, 'ON');
    const tags: { TagSet: readonly object[] } = await client.call('get_object_tagging', hold);
    assert.deepEqual(tags.TagSet, [
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: 'x y' },
    ]);
    const rule = { ID: 'r', Status: 'Enabled', Filter: { Prefix: 'tmp/' }, Expiration: { Days: 3 } };
    await client.call('put_bucket_lifecycle_configuration', {
      Bucket: 'locked',
      LifecycleConfiguration: { Rules: [rule] },
    });
    const kept: { Rules: readonly object[] } = await client.call('get_bucket_lifecycle_configuration', {
      Bucket: 'locked',
    });
    assert.deepEqual(kept.Rules, [rule]);
    assert.equal(await codeOf(client.call('get_bucket_website', { Bucket: 'locked' })), 'NoSuchWebsiteConfiguration');
    assert.equal(await codeOf(client.call('get_bucket_tagging', { Bucket: 'locked' })), 'NoSuchTagSet');
  });

  test('a thousand calls leave no more descriptors open than ten did', async () => {
    const { client, gateway } = await startSite('minio', workspace);
    await client.createBucket('calls');
    await client.put('calls', 'k', Buffer.from('content'));
    const calls = [
      () => client.call('get_object_tagging', { Bucket: 'calls', Key: 'k' }),
      () => codeOf(client.call('get_bucket_lifecycle_configuration', { Bucket: 'calls' })),
      () => client.call('get_bucket_versioning', { Bucket: 'calls' }),
      () => codeOf(client.call('get_object_tagging', { Bucket: 'calls', Key: 'missing' })),
    ];
    const repeat = async (times: number): Promise<number> => {
      for (let done = 0; done < times; done++) await calls[done % calls.length]?.();
      return await gateway.metric('process_open_fds');
    };
    const afterTen = await repeat(10);
    assert.ok(afterTen > 0);
    const afterThousand = await repeat(1000);
    assert.ok(afterThousand <= afterTen + 2, `${afterTen} descriptors after 10 calls, ${afterThousand} after 1 010`);
  });
});
