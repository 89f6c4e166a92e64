import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { plaintext } from './support/plaintext.ts';
import type { S3Client } from './support/s3-client.ts';
import { ownWorkspace, startSite } from './support/site.ts';

/** versitygw compares the owner that a request expects, with the access key of its account. */
describe('the expected owner of a bucket, versitygw', () => {
  const workspace = ownWorkspace();
  let client: S3Client;
  let owner: string;
  const [Bucket, Key] = ['owner-bucket', 'key'];
  const CopySource = { Bucket, Key };

  before(async () => {
    const site = await startSite('versitygw', workspace);
    ({ client } = site);
    owner = site.gateway.backend.access?.accessKeyId ?? '';
    await client.createBucket(Bucket);
    await client.put(Bucket, Key, plaintext('owned', 1000));
  });

  const calls: readonly (readonly [method: string, params: object, expected?: string])[] = [
    ['head_bucket', { Bucket }],
    ['list_objects_v2', { Bucket }],
    ['list_multipart_uploads', { Bucket }],
    ['get_bucket_location', { Bucket }],
    ['put_object', { Bucket, Key, Body: { $base64: 'eA==' } }],
    ['head_object', { Bucket, Key }],
    ['get_object', { Bucket, Key }],
    ['get_object_attributes', { Bucket, Key, ObjectAttributes: ['ObjectSize'] }],
    ['copy_object', { Bucket, Key: 'copy', CopySource }],
    ['copy_object', { Bucket, Key: 'copy', CopySource }, 'ExpectedSourceBucketOwner'],
    ['create_multipart_upload', { Bucket, Key: 'parts' }],
    ['put_object_tagging', { Bucket, Key, Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } }],
    ['delete_objects', { Bucket, Delete: { Objects: [{ Key: 'copy' }] } }],
    ['delete_object', { Bucket, Key: 'copy' }],
  ];

  for (const [method, params, expected = 'ExpectedBucketOwner'] of calls) {
    test(`is held to by ${method}, ${expected}`, async () => {
      await assert.rejects(client.call(method, { ...params, [expected]: 'somebody' }), { status: 403 });
      await client.call(method, { ...params, [expected]: owner });
    });
  }

  test('is held to by delete_bucket', async () => {
    await client.call('create_bucket', { Bucket: 'owner-empty' });
    await assert.rejects(client.call('delete_bucket', { Bucket: 'owner-empty', ExpectedBucketOwner: 'somebody' }), {
      status: 403,
    });
    await client.call('delete_bucket', { Bucket: 'owner-empty', ExpectedBucketOwner: owner });
  });
});
