/** Copies, parts and checksums as boto3 sees them: what they cost, and that MinIO itself answers the same. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { serverNames, startServer, type Server } from './support/backends.ts';
import { CountingProxy } from './support/counting-proxy.ts';
import { Gateway } from './support/gateway.ts';
import { plaintext } from './support/plaintext.ts';
import { S3Agent, S3CallError, type Options, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { digest } from './support/workspace.ts';

const mebibyte = 1024 * 1024;
const bucket = 'copies';

/** The code of a refusal, `ok` where there is none. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    if (error instanceof S3CallError) return `${String(error.status)} ${error.code}`;
    throw error;
  }
}

for (const name of serverNames) {
  describe(`copies, ${name}`, () => {
    const workspace = ownWorkspace();
    let proxy: CountingProxy;
    let client: S3Client;

    before(async () => {
      const backend = await startServer(name, workspace);
      proxy = await CountingProxy.start(backend.access.endpoint, workspace);
      const gateway = await Gateway.start({ workspace, backend, proxiedBy: proxy.endpoint });
      client = (await S3Agent.start(workspace)).client(gateway.access);
      await client.createBucket(bucket);
      await client.createBucket('elsewhere');
    });

    /** Bytes between gateway and backend while `work` runs. */
    async function moved(work: () => Promise<unknown>): Promise<number> {
      const before = proxy.bytes;
      await work();
      return proxy.bytes - before;
    }

    async function copy(Key: string, options: Options = {}): Promise<void> {
      const CopySource = { Bucket: bucket, Key: 'large' };
      await client.call('copy_object', { Bucket: bucket, Key, CopySource, ...options });
    }

    test('an object is copied, renamed and changed without its bytes', async () => {
      const body = plaintext('large', 48 * mebibyte);
      const upload = await client.createUpload(bucket, 'large', { Metadata: { colour: 'blue' } });
      const half = body.length / 2;
      await client.complete(upload, [
        await client.uploadPart(upload, 1, body.subarray(0, half)),
        await client.uploadPart(upload, 2, body.subarray(half)),
      ]);
      const costs = {
        within: await moved(() => copy('copy')),
        'to another bucket': await moved(() => copy('copy', { Bucket: 'elsewhere' })),
        'onto itself': await moved(() =>
          copy('large', { MetadataDirective: 'REPLACE', Metadata: { colour: 'red' }, ContentType: 'text/red' }),
        ),
      };
      for (const [what, bytes] of Object.entries(costs)) assert.ok(bytes < 64 * 1024, `${what}: ${bytes} bytes`);
      for (const [inBucket, key, colour] of [
        [bucket, 'copy', 'blue'],
        ['elsewhere', 'copy', 'blue'],
        [bucket, 'large', 'red'],
      ] as const) {
        const got = await client.get(inBucket, key);
        assert.deepEqual([got.ContentLength, got.Body.sha256], [body.length, digest(body)]);
        assert.equal(got.Metadata['colour'], colour);
        const range = await client.get(inBucket, key, { Range: `bytes=${half - 5}-${half + 5}` });
        assert.equal(range.Body.sha256, digest(body.subarray(half - 5, half + 6)));
      }
    });

    test('parts are copied from ranges', async () => {
      const body = plaintext('source', 12 * mebibyte + 77);
      await client.put(bucket, 'source', body);
      const upload = await client.createUpload(bucket, 'joined');
      const parts = [];
      for (const [index, [first, last]] of [
        [1, 6 * mebibyte],
        [5 * mebibyte + 3, body.length - 1],
      ].entries()) {
        const answer: { CopyPartResult: { ETag: string } } = await client.call('upload_part_copy', {
          ...upload,
          PartNumber: index + 1,
          CopySource: { Bucket: bucket, Key: 'source' },
          CopySourceRange: `bytes=${String(first)}-${String(last)}`,
        });
        parts.push({ PartNumber: index + 1, ETag: answer.CopyPartResult.ETag });
      }
      await client.complete(upload, parts);
      const expected = Buffer.concat([body.subarray(1, 6 * mebibyte + 1), body.subarray(5 * mebibyte + 3)]);
      assert.equal((await client.get(bucket, 'joined')).Body.sha256, digest(expected));
    });
  });
}

describe('copies of versions, minio', () => {
  const workspace = ownWorkspace();

  test('an older version comes back by a copy, and a delete marker is no source', async () => {
    const backend = await startServer('minio', workspace);
    const gateway = await Gateway.start({ workspace, backend });
    const client = (await S3Agent.start(workspace)).client(gateway.access);
    await client.createBucket('versioned');
    await client.call('put_bucket_versioning', {
      Bucket: 'versioned',
      VersioningConfiguration: { Status: 'Enabled' },
    });
    const put = async (text: string): Promise<string> => {
      const Body = { $base64: Buffer.from(text).toString('base64') };
      const answer: { VersionId: string } = await client.call('put_object', { Bucket: 'versioned', Key: 'k', Body });
      return answer.VersionId;
    };
    const copy = async (VersionId?: string): Promise<{ VersionId?: string; CopySourceVersionId?: string }> =>
      await client.call('copy_object', {
        Bucket: 'versioned',
        Key: 'k',
        CopySource: { Bucket: 'versioned', Key: 'k', ...(VersionId === undefined ? {} : { VersionId }) },
        ...(VersionId === undefined ? { MetadataDirective: 'REPLACE' } : {}),
      });
    const first = await put('first');
    const second = await put('second');
    const restored = await copy(first);
    assert.equal(restored.CopySourceVersionId, first);
    assert.ok(restored.VersionId !== undefined && ![first, second].includes(restored.VersionId));
    assert.equal((await client.get('versioned', 'k')).Body.sha256, digest(Buffer.from('first')));
    const marker: { VersionId: string } = await client.call('delete_object', { Bucket: 'versioned', Key: 'k' });
    assert.equal(await codeOf(copy()), '404 NoSuchKey');
    assert.equal(await codeOf(copy(marker.VersionId)), '400 InvalidRequest');
    await copy(second);
    assert.equal((await client.get('versioned', 'k')).Body.sha256, digest(Buffer.from('second')));
  });
});

describe('backend requests for parts and checksums, minio', () => {
  const workspace = ownWorkspace();

  test('are few: an index is read once, and not at all where the object itself says it', async () => {
    const backend = await startServer('minio', workspace);
    const gateway = await Gateway.start({ workspace, backend });
    const client = (await S3Agent.start(workspace)).client(gateway.access);
    await client.createBucket(bucket);
    const requests = async (work: () => Promise<unknown>): Promise<number> => {
      const before = await gateway.metric('s3eg_backend_requests_total');
      await work();
      return (await gateway.metric('s3eg_backend_requests_total')) - before;
    };
    const asking = { ChecksumMode: 'ENABLED' };
    // boto3 gives a CRC32 with each put, over http in a header.
    await client.put(bucket, 'single', plaintext('single', 300_000));
    assert.equal(await requests(() => client.get(bucket, 'single', asking)), 1);
    assert.equal(await requests(() => client.head(bucket, 'single', asking)), 1);
    await uploadSummed(client, 'parts', { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' });
    assert.equal(await requests(() => client.get(bucket, 'parts', asking)), 2, 'the object and its index');
    assert.equal(await requests(() => client.get(bucket, 'parts', asking)), 1);
    assert.equal(await requests(() => client.head(bucket, 'parts', asking)), 1);
    assert.equal(await requests(() => client.get(bucket, 'parts', { PartNumber: 2 })), 2, 'its head and the part');
    const attributes = { Bucket: bucket, Key: 'parts', ObjectAttributes: ['ObjectParts', 'Checksum'] };
    assert.equal(await requests(() => client.call('get_object_attributes', attributes)), 1);
    const CopySource = { Bucket: bucket, Key: 'parts' };
    const copy = { Bucket: bucket, Key: 'copy', CopySource };
    assert.equal(await requests(() => client.call('copy_object', copy)), 2, 'the head of the source and the copy');
  });
});

/** Two parts of an object. */
const parts = [plaintext('one', 5 * mebibyte + 12_345), plaintext('two', 70_001)];

/** A multipart object with a checksum of one kind, as boto3 uploads it. */
async function uploadSummed(client: S3Client, Key: string, sums: Options): Promise<Record<string, unknown>> {
  const upload = await client.createUpload(bucket, Key, sums);
  const Parts = [];
  for (const [index, body] of parts.entries()) {
    const part: Record<string, unknown> = await client.call('upload_part', {
      ...upload,
      PartNumber: index + 1,
      Body: { $base64: body.toString('base64') },
      ChecksumAlgorithm: sums['ChecksumAlgorithm'],
    });
    Parts.push({ PartNumber: index + 1, ETag: part['ETag'], ...checksumsIn(part) });
  }
  return await client.call('complete_multipart_upload', { ...upload, MultipartUpload: { Parts } });
}

function checksumsIn(answer: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(answer).filter(([name]) => name.startsWith('Checksum')));
}

describe('answers about parts and checksums, compared with those of MinIO', () => {
  const workspace = ownWorkspace();
  let backend: Server;
  let clients: readonly [through: S3Client, direct: S3Client];

  before(async () => {
    backend = await startServer('minio', workspace);
    const other = await startServer('minio', workspace);
    const gateway = await Gateway.start({ workspace, backend });
    const agent = await S3Agent.start(workspace);
    clients = [agent.client(gateway.access), agent.client(other.access)];
    for (const client of clients) {
      await client.createBucket(bucket);
      await client.put(bucket, 'single', parts[1] ?? Buffer.alloc(0));
    }
  });

  /** What both answer to the same calls. */
  async function both<Result>(ask: (client: S3Client) => Promise<Result>): Promise<readonly [Result, Result]> {
    return [await ask(clients[0]), await ask(clients[1])];
  }

  for (const sums of [
    { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' },
    { ChecksumAlgorithm: 'CRC32', ChecksumType: 'COMPOSITE' },
    { ChecksumAlgorithm: 'SHA1', ChecksumType: 'COMPOSITE' },
    { ChecksumAlgorithm: 'SHA256', ChecksumType: 'COMPOSITE' },
  ]) {
    const key = `${sums.ChecksumAlgorithm} ${sums.ChecksumType}`;
    test(`checksums: ${key}`, async () => {
      const [throughGateway, direct] = await both(async (client) => {
        // MinIO leaves the type out here, which S3 has.
        const { ChecksumType: _type, ...completed } = checksumsIn(await uploadSummed(client, key, sums));
        const head: Record<string, unknown> = await client.call('head_object', {
          Bucket: bucket,
          Key: key,
          ChecksumMode: 'ENABLED',
        });
        // boto3 itself holds the bytes against the checksum that the answer gives.
        const got = await client.get(bucket, key, { ChecksumMode: 'ENABLED' });
        const attributes: { Checksum?: Record<string, unknown>; ObjectSize?: number } = await client.call(
          'get_object_attributes',
          { Bucket: bucket, Key: key, ObjectAttributes: ['Checksum', 'ObjectSize'] },
        );
        return {
          completed,
          head: checksumsIn(head),
          got: [checksumsIn({ ...got }), got.Body.sha256],
          attributes: [checksumsIn(attributes.Checksum ?? {}), attributes.ObjectSize],
        };
      });
      assert.deepEqual(throughGateway, direct);
      assert.deepEqual(Object.keys(throughGateway.head).toSorted(), [
        `Checksum${sums.ChecksumAlgorithm}`,
        'ChecksumType',
      ]);
    });
  }

  test('parts, read and listed', async () => {
    const key = 'CRC32 FULL_OBJECT';
    const [throughGateway, direct] = await both(async (client) => {
      const read = [];
      for (const [Key, PartNumber] of [
        [key, 1],
        [key, 2],
        ['single', 1],
      ] as const) {
        const got: Record<string, unknown> & { Body: { sha256: string } } = await client.call('get_object', {
          Bucket: bucket,
          Key,
          PartNumber,
        });
        const head: Record<string, unknown> = await client.call('head_object', { Bucket: bucket, Key, PartNumber });
        read.push([
          got['ContentLength'],
          got['ContentRange'],
          got['PartsCount'],
          got.Body.sha256,
          head['ContentLength'],
          head['PartsCount'],
        ]);
      }
      const { ObjectParts }: { ObjectParts: { TotalPartsCount: number; Parts: { Size: number }[] } } =
        await client.call('get_object_attributes', { Bucket: bucket, Key: key, ObjectAttributes: ['ObjectParts'] });
      return { read, listed: [ObjectParts.TotalPartsCount, ObjectParts.Parts.map(({ Size }) => Size)] };
    });
    assert.deepEqual(throughGateway, direct);
  });

  /** Requests that fail; where the gateway's answer is another one than MinIO's, what it is, and why. */
  const failing: readonly {
    readonly method: string;
    readonly params: Options;
    readonly gateway?: string;
    readonly reason?: string;
  }[] = [
    { method: 'copy_object', params: { Key: 'x', CopySource: `${bucket}/absent` } },
    { method: 'copy_object', params: { Key: 'x', CopySource: 'no-such-bucket/k' } },
    { method: 'copy_object', params: { Key: 'single', CopySource: `${bucket}/single` } },
    { method: 'copy_object', params: { Key: 'x', CopySource: `${bucket}/single`, CopySourceIfMatch: '"other"' } },
    { method: 'copy_object', params: { Key: 'x', CopySource: `${bucket}/single`, MetadataDirective: 'MERGE' } },
    {
      method: 'copy_object',
      params: { Bucket: 'no-such-bucket', Key: 'x', CopySource: `${bucket}/single` },
    },
    {
      method: 'upload_part_copy',
      params: { Key: 'x', CopySource: `${bucket}/single`, PartNumber: 1, UploadId: 'absent' },
    },
    { method: 'get_object', params: { Key: 'single', PartNumber: 2 } },
    { method: 'get_object', params: { Key: 'single', PartNumber: 10_001 } },
    { method: 'get_object', params: { Key: 'single', PartNumber: 1, Range: 'bytes=0-1' } },
    { method: 'get_object_attributes', params: { Key: 'absent', ObjectAttributes: ['ETag'] } },
    { method: 'get_object_attributes', params: { Key: 'single', ObjectAttributes: ['Owner'] } },
    {
      method: 'create_multipart_upload',
      params: { Key: 'x', ChecksumAlgorithm: 'MD4' },
      gateway: '400 InvalidRequest',
      reason: 'as S3 calls it',
    },
    {
      method: 'create_multipart_upload',
      params: { Key: 'x', ChecksumAlgorithm: 'SHA256', ChecksumType: 'FULL_OBJECT' },
      gateway: '400 InvalidRequest',
      reason: 'as S3 calls it',
    },
  ];
  for (const { method, params, gateway, reason } of failing) {
    const asked = `${method} ${JSON.stringify(params)}`;
    test(`a failure: ${asked}${reason === undefined ? '' : ` (${reason})`}`, async () => {
      const [throughGateway, direct] = await both(
        async (client) => await codeOf(client.call(method, { Bucket: bucket, ...params })),
      );
      assert.notEqual(direct, 'ok');
      assert.equal(throughGateway, gateway ?? direct);
    });
  }
});
