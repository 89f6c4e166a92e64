/** What a presigned URL does not allow: the gateway's answers beside those of MinIO, which is asked directly. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { startBackend, startServer, type S3Access } from './support/backends.ts';
import { curl, refusalOf, type CurlAnswer, type CurlRequest } from './support/curl.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext } from './support/plaintext.ts';
import { S3Agent, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';

const bucket = 'presigned-refused';
const key = 'dir/object';
const minute = 60_000;
const week = 7 * 24 * 3600;

interface Signers {
  /** boto3, which signs whatever it is asked for. */
  readonly boto3: (method: string, params?: object, expiresSeconds?: number) => Promise<string>;
  /** The AWS SDK for JavaScript, which signs for any time. */
  readonly js: (command: string, input: object, options: object) => Promise<string>;
}

interface Refusal {
  readonly what: string;
  readonly url: (signers: Signers) => Promise<string>;
  readonly request?: CurlRequest;
  readonly wanted: readonly [number, string];
  /** Part of the message. */
  readonly says?: string;
  /** Where MinIO does not answer as S3 does. */
  readonly minio?: readonly [number, string];
}

function signedAt(offsetMs: number): object {
  return { expiresIn: 60, signedAt: new Date(Date.now() + offsetMs).toISOString() };
}

const refusals: readonly Refusal[] = [
  {
    what: 'a second more than a week',
    url: async ({ boto3 }) => await boto3('get_object', {}, week + 1),
    wanted: [400, 'AuthorizationQueryParametersError'],
    says: 'less than a week',
  },
  {
    what: 'an expired URL',
    url: async ({ js }) => await js('GetObject', {}, signedAt(-2 * minute)),
    wanted: [403, 'AccessDenied'],
    says: 'Request has expired',
  },
  {
    what: 'a URL from 16 minutes ahead',
    url: async ({ js }) => await js('GetObject', {}, signedAt(16 * minute)),
    wanted: [403, 'AccessDenied'],
    says: 'not',
  },
  {
    what: 'another key',
    url: async ({ boto3 }) => (await boto3('get_object')).replace('dir/object', 'dir/objecs'),
    wanted: [403, 'SignatureDoesNotMatch'],
  },
  {
    what: 'a longer time',
    url: async ({ boto3 }) => (await boto3('get_object', {}, 60)).replace('X-Amz-Expires=60&', 'X-Amz-Expires=600&'),
    wanted: [403, 'SignatureDoesNotMatch'],
  },
  {
    what: 'a parameter that was added',
    url: async ({ boto3 }) => `${await boto3('get_object')}&response-content-type=text%2Fhtml`,
    wanted: [403, 'SignatureDoesNotMatch'],
  },
  {
    what: 'another method',
    url: async ({ boto3 }) => await boto3('get_object'),
    request: { method: 'DELETE' },
    wanted: [403, 'SignatureDoesNotMatch'],
  },
  {
    what: 'another access key',
    url: async ({ boto3 }) =>
      (await boto3('get_object')).replace(/X-Amz-Credential=[^%]*/, 'X-Amz-Credential=AKIDOFNOBODY'),
    wanted: [403, 'InvalidAccessKeyId'],
  },
  {
    what: 'an x-amz-* header that was not signed',
    url: async ({ boto3 }) => await boto3('put_object'),
    request: { method: 'PUT', headers: { 'x-amz-copy-source': `/${bucket}/other` } },
    wanted: [403, 'AccessDenied'],
    says: 'not signed',
    // MinIO copies: whoever holds a URL for an upload reads with it whatever the signer may read.
    minio: [404, 'NoSuchKey'],
  },
  {
    what: 'another content type than the signed one',
    url: async ({ boto3 }) => await boto3('put_object', { ContentType: 'text/x-test' }),
    request: { method: 'PUT', headers: { 'content-type': 'text/html' } },
    wanted: [403, 'SignatureDoesNotMatch'],
  },
  {
    what: 'signed metadata that is not sent',
    url: async ({ boto3 }) => await boto3('put_object', { Metadata: { colour: 'blue' } }),
    request: { method: 'PUT' },
    wanted: [403, 'SignatureDoesNotMatch'],
    minio: [400, 'AccessDenied'],
  },
  {
    what: 'an Authorization header beside it',
    url: async ({ boto3 }) => await boto3('get_object'),
    request: { headers: { authorization: 'AWS4-HMAC-SHA256 Credential=x' } },
    wanted: [400, 'InvalidArgument'],
    minio: [400, 'AccessDenied'],
  },
];

describe('presigned URLs that do not fit', () => {
  const workspace = ownWorkspace();
  let agents: { readonly boto3: S3Agent; readonly js: S3Agent };
  let gateway: Gateway;
  let minio: S3Access;
  let client: S3Client;

  before(async () => {
    gateway = await Gateway.start({ workspace, backend: await startBackend('embedded', workspace) });
    minio = (await startServer('minio', workspace)).access;
    agents = { boto3: await S3Agent.start(workspace), js: await S3Agent.startJs(workspace) };
    client = agents.boto3.client(gateway.access);
    for (const access of [gateway.access, minio]) {
      await agents.boto3.client(access).createBucket(bucket);
      await agents.boto3.client(access).put(bucket, key, plaintext('presigned', 1000));
    }
  });

  function signersAt(access: S3Access): Signers {
    return {
      boto3: async (method, params = {}, expiresSeconds = 300) =>
        await agents.boto3.call(access, 'generate_presigned_url', {
          ClientMethod: method,
          Params: { Bucket: bucket, Key: key, ...params },
          ExpiresIn: expiresSeconds,
        }),
      js: async (command, input, options) =>
        await agents.js.call(access, 'presign', {
          command: `${command}Command`,
          input: { Bucket: bucket, Key: key, ...input },
          ...options,
        }),
    };
  }

  for (const { what, url, request, wanted, says, minio: minioSays } of refusals) {
    test(`refuses ${what}, beside MinIO`, async () => {
      const answer = await curl(workspace, await url(signersAt(gateway.access)), request);
      assert.deepEqual(refusalOf(answer), wanted, answer.body.toString());
      if (says !== undefined) assert.match(answer.body.toString(), new RegExp(says));
      const direct = await curl(workspace, await url(signersAt(minio)), request);
      assert.deepEqual(refusalOf(direct), minioSays ?? wanted, direct.body.toString());
      assert.equal((await client.head(bucket, key)).ContentLength, 1000, 'nothing was changed');
    });
  }

  async function allowed(url: string, request: CurlRequest = {}): Promise<CurlAnswer> {
    const answer = await curl(workspace, url, request);
    assert.equal(answer.status, 200, answer.body.toString());
    return answer;
  }

  test('takes a whole week, and a clock that is 14 minutes ahead', async () => {
    const signers = signersAt(gateway.access);
    await allowed(await signers.boto3('get_object', {}, week));
    await allowed(await signers.js('GetObject', {}, signedAt(14 * minute)));
  });

  test('stores the signed content type and metadata when they are sent', async () => {
    const file = join(await workspace.folder('typed'), 'file');
    await writeFile(file, plaintext('typed', 500));
    const signers = signersAt(gateway.access);
    const typed = { Key: 'typed', ContentType: 'text/x-test' };
    const headers = { 'content-type': 'text/x-test' };
    const fromJs = await signers.js('PutObject', typed, { expiresIn: 60, signableHeaders: ['content-type'] });
    await allowed(fromJs, { file, headers });
    assert.equal((await client.head(bucket, 'typed')).ContentType, 'text/x-test');
    const other = await curl(workspace, fromJs, { file, headers: { 'content-type': 'text/html' } });
    assert.deepEqual(refusalOf(other), [403, 'SignatureDoesNotMatch']);

    const fromBoto3 = await signers.boto3('put_object', { ...typed, Metadata: { colour: 'blue' } });
    await allowed(fromBoto3, { file, headers: { ...headers, 'x-amz-meta-colour': 'blue' } });
    assert.deepEqual((await client.head(bucket, 'typed')).Metadata, { colour: 'blue' });
  });

  test('stores metadata and tags that the SDK moved into the query, as MinIO does', async () => {
    const file = join(await workspace.folder('moved'), 'file');
    await writeFile(file, plaintext('moved', 500));
    const Metadata = { colour: 'blue', shape: 'round & 100 %' };
    for (const access of [gateway.access, minio]) {
      const url = await signersAt(access).js(
        'PutObject',
        { Key: 'moved', Metadata, Tagging: 'a=1' },
        { expiresIn: 60 },
      );
      assert.match(url, /[?&]x-amz-meta-colour=blue(?:&|$)/);
      await allowed(url, { file });
      const at = agents.boto3.client(access);
      assert.deepEqual((await at.head(bucket, 'moved')).Metadata, Metadata);
      const { TagSet }: { TagSet: unknown } = await at.call('get_object_tagging', { Bucket: bucket, Key: 'moved' });
      assert.deepEqual(TagSet, [{ Key: 'a', Value: '1' }]);
    }
  });

  test('answers with the headers that a URL overrides', async () => {
    const overrides = {
      ResponseContentDisposition: 'attachment; filename="grün.txt"',
      ResponseContentType: 'text/x-other',
      ResponseCacheControl: 'no-store',
      ResponseContentLanguage: 'de',
    };
    const signers = signersAt(gateway.access);
    for (const url of [
      await signers.boto3('get_object', overrides),
      await signers.js('GetObject', overrides, { expiresIn: 60 }),
    ]) {
      const { headers } = await allowed(url);
      // In Latin-1, as S3 sends it; curl's headers are read so.
      assert.equal(headers.get('content-disposition'), overrides.ResponseContentDisposition);
      assert.equal(headers.get('content-type'), 'text/x-other');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('content-language'), 'de');
    }
    const url = await signers.boto3('get_object', { ResponseContentDisposition: 'attachment; filename="日本.txt"' });
    assert.deepEqual(refusalOf(await curl(workspace, url)), [400, 'InvalidArgument']);
  });
});
