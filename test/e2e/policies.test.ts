import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { otherSuite } from '../support/runtimes.ts';
import { seededBytes } from './support/bytes.ts';
import { S3Client } from './support/client.ts';
import { Gateway, temporaryDirectory } from './support/gateway.ts';
import { listObjects } from './support/listing.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import { suiteWithGateway } from './support/suite.ts';
import { all, textOf } from './support/xml.ts';

const minPartBytes = 5 * 1024 * 1024;

/** Contents of all files of the embedded store. */
async function storedBytes(gateway: Gateway): Promise<Buffer> {
  const files = (await gateway.storedFiles()).map(async (name) =>
    readFile(join(gateway.directory, 'objects', 'data', name.slice(0, 2), name)),
  );
  return Buffer.concat(await Promise.all(files));
}

/** Whether 32 bytes that follow one another in `plaintext` are in `stored`: looked for once in each 4 KiB. */
function leaks(stored: Buffer, plaintext: Buffer): boolean {
  for (let at = 0; at + 32 <= plaintext.length; at += 4096) {
    if (stored.includes(plaintext.subarray(at, at + 32))) return true;
  }
  return false;
}

describe('policies', () => {
  const suite = suiteWithGateway(['secret', 'public', 'tenant-a', 'tenant-special'], {
    config: {
      keys: {
        local: { type: 'local', file: './keyring.json' },
        other: { type: 'local', file: './other-keyring.json' },
      },
      policies: [
        { name: 'default' },
        { name: 'plain', match: { buckets: ['public'] }, encryption: { mode: 'off' } },
        { name: 'plain-but', match: { buckets: ['public'], prefixes: ['private/'] } },
        {
          name: 'tenants',
          match: { buckets: ['tenant-*'] },
          encryption: { key: 'other', suite: otherSuite, segmentSize: '1MiB' },
          limits: { maxObjectBytes: '6MiB' },
        },
        {
          name: 'special',
          match: { buckets: ['tenant-special'] },
          encryption: { segmentSize: '256KiB' },
        },
      ],
    },
  });

  it('encrypt what they say, and keep no run of plaintext', async () => {
    const { s3, gateway } = suite;
    const body = seededBytes('at rest', 300_000);
    await s3.put('secret', 'k', body);
    const upload = await createUpload(s3, 'secret', 'multipart');
    const large = seededBytes('large', minPartBytes);
    const parts = [await uploadPart(s3, upload, 1, large), await uploadPart(s3, upload, 2, body)];
    await completeUpload(s3, upload, parts);
    await s3.put('public', 'private/k', body);
    await s3.put('tenant-a', 'k', body);
    const stored = await storedBytes(gateway);
    assert.ok(stored.length > 4 * body.length);
    assert.deepEqual([leaks(stored, body), leaks(stored, large.subarray(0, 500_000))], [false, false]);
  });

  it('with mode off store and answer bytes as they are', async () => {
    const { s3, gateway } = suite;
    const body = seededBytes('plain', 200_001);
    const put = await s3.put('public', 'k', body, { 'x-amz-meta-a': 'b', 'if-none-match': '*' });
    assert.equal(put.outcome, '200');
    assert.equal(leaks(await storedBytes(gateway), body), true);
    const got = await s3.get('public', 'k');
    assert.ok(got.body.equals(body));
    assert.deepEqual([got.etag, got.headers['x-amz-meta-a']], [put.etag, 'b']);
    assert.match(got.etag, /^"[0-9a-f]{32}"$/, 'the store’s own ETag');
    const ranged = await s3.get('public', 'k', { range: 'bytes=-5', 'if-match': put.etag });
    assert.deepEqual([ranged.status, ranged.body], [206, body.subarray(-5)]);
    assert.equal((await s3.get('public', 'k', { range: 'bytes=200001-' })).outcome, '416 InvalidRange');
    const { objects } = await listObjects(s3, 'public', { version: 2, prefix: 'k' });
    assert.deepEqual([objects[0]?.sizeBytes, objects[0]?.etag], [body.length, put.etag]);
    const upload = await createUpload(s3, 'public', 'multipart');
    const parts = [
      await uploadPart(s3, upload, 1, seededBytes('x', minPartBytes)),
      await uploadPart(s3, upload, 2, 'end'),
    ];
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '200');
    assert.equal((await s3.head('public', 'multipart')).headers['content-length'], String(minPartBytes + 3));
  });

  it('choose key, cipher and segments, and the narrowest one counts', async () => {
    const { s3 } = suite;
    const body = seededBytes('segments', 2_500_000);
    for (const bucket of ['tenant-a', 'tenant-special', 'secret']) {
      await s3.put(bucket, 'k', body);
      assert.ok((await s3.get(bucket, 'k')).body.equals(body), bucket);
      for (const first of [0, 65_535, 262_143, 262_144, 1_048_575, 1_048_576, 2_499_990]) {
        const { status, body: part } = await s3.get(bucket, 'k', { range: `bytes=${first}-${first + 9}` });
        assert.equal(status, 206);
        assert.ok(part.equals(body.subarray(first, first + 10)), `${bucket} ${first}`);
      }
      const suffix = await s3.get(bucket, 'k', { range: 'bytes=-70000' });
      assert.ok(suffix.body.equals(body.subarray(-70_000)), bucket);
    }
  });

  it('limit the size of an object, in one piece or in several', async () => {
    const { s3 } = suite;
    const fits = seededBytes('fits', 6 * 1024 * 1024);
    assert.equal((await s3.put('tenant-a', 'sized', fits)).outcome, '200');
    const tooLarge = Buffer.concat([fits, Buffer.from('x')]);
    assert.equal((await s3.put('tenant-a', 'too-large', tooLarge)).outcome, '400 EntityTooLarge');
    assert.equal((await s3.put('tenant-special', 'sized', tooLarge)).outcome, '200', 'another policy');
    const upload = await createUpload(s3, 'tenant-a', 'too-large');
    const parts = [await uploadPart(s3, upload, 1, fits), await uploadPart(s3, upload, 2, 'x')];
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '400 EntityTooLarge');
    assert.equal((await s3.head('tenant-a', 'too-large')).status, 404);
  });
});

describe('objects that are not encrypted', () => {
  it('are read only where the policy allows it', async () => {
    const directory = await temporaryDirectory();
    const backend = { main: { type: 'filesystem', root: './objects' } };
    // A size at which the place of the last segment in an encrypted object lies behind the end of the plain one.
    const body = seededBytes('plain', 10 * 65_536 + 100);
    const small = Buffer.from('small');
    {
      const policies = [{ name: 'off', encryption: { mode: 'off' } }];
      await using gateway = await Gateway.start({ directory, config: { backends: backend, policies } });
      using s3 = new S3Client(gateway);
      await s3.createBucket('bucket');
      await s3.put('bucket', 'plain', body, { 'content-type': 'text/plain' });
      await s3.put('bucket', 'small', small);
      await s3.put('bucket', 'empty', '');
    }
    {
      await using gateway = await Gateway.start({ directory });
      using s3 = new S3Client(gateway);
      const denied = await s3.get('bucket', 'plain');
      assert.equal(denied.outcome, '403 ObjectNotEncrypted');
      assert.match(denied.text, /unencryptedReads: deny/);
      assert.equal((await s3.head('bucket', 'plain')).status, 403);
      assert.equal((await s3.get('bucket', 'plain', { range: 'bytes=0-9' })).outcome, '403 ObjectNotEncrypted');
      await s3.put('bucket', 'encrypted', body);
    }
    {
      const policies = [{ name: 'default', encryption: { unencryptedReads: 'allow' } }];
      await using gateway = await Gateway.start({ directory, config: { policies } });
      using s3 = new S3Client(gateway);
      for (const [key, expected] of [
        ['plain', body],
        ['encrypted', body],
        ['small', small],
        ['empty', Buffer.alloc(0)],
      ] as const) {
        const got = await s3.get('bucket', key);
        assert.ok(got.body.equals(expected), key);
        const head = await s3.head('bucket', key);
        assert.deepEqual([head.headers['content-length'], head.etag], [String(expected.length), got.etag]);
        const { objects } = await listObjects(s3, 'bucket', { version: 2, prefix: key });
        assert.deepEqual([objects[0]?.sizeBytes, objects[0]?.etag], [expected.length, got.etag], key);
        for (const range of ['bytes=0-4', 'bytes=-3', `bytes=${expected.length - 2}-`, 'bytes=655400-655410']) {
          const ranged = await s3.get('bucket', key, { range });
          const [, first = '', last = ''] = /(\d*)-(\d*)/.exec(range) ?? [];
          const from = first === '' ? Math.max(0, expected.length - Number(last)) : Number(first);
          const bytes = expected.subarray(from, first === '' || last === '' ? undefined : Number(last) + 1);
          if (from < 0 || bytes.length === 0) continue;
          assert.deepEqual([ranged.status, ranged.body.equals(bytes)], [206, true], `${key} ${range}`);
        }
        const beyond = await s3.get('bucket', key, { range: `bytes=${expected.length}-` });
        assert.equal(beyond.outcome, '416 InvalidRange', key);
      }
    }
    await rm(directory, { recursive: true, force: true });
  });
});

describe('several backends', () => {
  const suite = suiteWithGateway(['one-a', 'one-b', 'two-a'], {
    config: {
      backends: {
        one: { type: 'filesystem', root: './objects' },
        two: { type: 'filesystem', root: './second' },
      },
      policies: [
        { name: 'first', match: { buckets: ['one-*'] }, backend: 'one' },
        { name: 'second', match: { buckets: ['two-*'] }, backend: 'two' },
      ],
    },
  });

  it('hold the buckets that policies send to them, and are listed as one', async () => {
    const { s3, gateway } = suite;
    const { xml } = await s3.send({ method: 'GET' });
    const names = all(all(xml, 'Buckets')[0] ?? xml, 'Bucket').map((bucket) => textOf(bucket, 'Name'));
    assert.deepEqual(names, ['one-a', 'one-b', 'two-a']);
    await s3.put('one-a', 'k', 'first');
    await s3.put('two-a', 'k', 'second');
    assert.deepEqual([(await s3.get('one-a', 'k')).text, (await s3.get('two-a', 'k')).text], ['first', 'second']);
    assert.ok(gateway.storedKeys('one-a').includes('k'));
    assert.deepEqual(gateway.storedKeys('two-a'), [], 'it is in the other one');
  });

  it('are nobody’s where no policy covers a bucket', async () => {
    const { s3 } = suite;
    for (const request of [
      { method: 'PUT', bucket: 'three-a' },
      { method: 'GET', bucket: 'three-a' },
      { method: 'PUT', bucket: 'three-a', key: 'k', body: 'x' },
    ]) {
      const answer = await s3.send(request);
      assert.equal(answer.outcome, '403 AccessDenied');
      assert.match(answer.text, /No policy of this gateway covers the bucket/);
    }
  });
});

describe('a bucket for the state of uploads', () => {
  it('is hidden, and no bucket of a client holds anything of the gateway’s', async () => {
    const directory = await temporaryDirectory();
    const everything = { directory, config: { multipart: { bucket: 'ledger' } } };
    {
      await using gateway = await Gateway.start({ directory });
      using s3 = new S3Client(gateway);
      await s3.createBucket('ledger');
      await s3.createBucket('bucket');
    }
    {
      await using gateway = await Gateway.start(everything);
      using s3 = new S3Client(gateway);
      const upload = await createUpload(s3, 'bucket', 'k');
      const part = await uploadPart(s3, upload, 1, 'staged');
      assert.deepEqual(
        gateway.storedKeys('bucket').filter((key) => key.startsWith('.s3eg/uploads/')),
        [],
      );
      assert.equal(gateway.storedKeys('ledger').filter((key) => key.startsWith('.s3eg/uploads/')).length, 2);
      assert.doesNotMatch((await s3.send({ method: 'GET' })).text, /ledger/);
      for (const request of [
        { method: 'GET', bucket: 'ledger' },
        { method: 'HEAD', bucket: 'ledger' },
        { method: 'PUT', bucket: 'ledger', key: 'k', body: 'x' },
        { method: 'DELETE', bucket: 'ledger' },
      ]) {
        assert.equal((await s3.send(request)).status, 403, request.method);
      }
      assert.equal((await completeUpload(s3, upload, [part])).outcome, '200');
      assert.equal((await s3.get('bucket', 'k')).text, 'staged');
      assert.deepEqual(
        gateway.storedKeys('ledger').filter((key) => key.startsWith('.s3eg/uploads/')),
        [],
      );
    }
    await rm(directory, { recursive: true, force: true });
  });
});
