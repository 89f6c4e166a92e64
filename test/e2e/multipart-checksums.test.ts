import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { checksumNames, checksumOf as slowChecksumOf, type ChecksumName } from './support/checksums.ts';
import { S3Client } from './support/client.ts';
import { Gateway, temporaryDirectory } from './support/gateway.ts';
import { createUpload, sendPart, uploadPart, type Upload } from './support/multipart.ts';
import type { S3Response } from './support/response.ts';
import { suiteWithGateway } from './support/suite.ts';
import { all, textOf } from './support/xml.ts';

const MiB = 1024 ** 2;
const sizes = [5 * MiB, 5 * MiB + 65_537, 300_001];
const parts = sizes.map((size, index) => seededBytes(`part ${index}`, size));
const whole = Buffer.concat(parts);

const known = new Map<string, string>();

/** The oracle takes its time, so each of the few contents is looked at once. */
function checksumOf(name: ChecksumName, bytes: Buffer): string {
  const place = [...parts, whole].indexOf(bytes);
  if (place < 0) return slowChecksumOf(name, bytes);
  const checksum = known.get(`${name} ${place}`) ?? slowChecksumOf(name, bytes);
  known.set(`${name} ${place}`, checksum);
  return checksum;
}

type Type = 'COMPOSITE' | 'FULL_OBJECT';

/** A part as a client names it in Complete. */
interface SentPart {
  readonly etag: string;
  readonly checksum?: string;
}

const headerOf = (name: ChecksumName): string => `x-amz-checksum-${name}`;
const elementOf = (name: ChecksumName): string => `Checksum${name.toUpperCase()}`;

function expected(name: ChecksumName, type: Type): string {
  if (type === 'FULL_OBJECT') return checksumOf(name, whole);
  const values = parts.map((bytes) => Buffer.from(checksumOf(name, bytes), 'base64'));
  return `${checksumOf(name, Buffer.concat(values))}-${parts.length}`;
}

async function complete(
  s3: S3Client,
  { bucket, key, uploadId }: Upload,
  name: ChecksumName,
  sent: readonly SentPart[],
  headers: Readonly<Record<string, string>> = {},
): Promise<S3Response> {
  const entries = sent.map(({ etag, checksum }, index) => {
    const element = checksum === undefined ? '' : `<${elementOf(name)}>${checksum}</${elementOf(name)}>`;
    return `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag>${element}</Part>`;
  });
  const body = `<CompleteMultipartUpload>${entries.join('')}</CompleteMultipartUpload>`;
  return s3.send({ method: 'POST', bucket, key, query: { uploadId }, body, headers });
}

function asksFor(name: ChecksumName, type?: Type): Record<string, string> {
  const algorithm = { 'x-amz-checksum-algorithm': name.toUpperCase() };
  return type === undefined ? algorithm : { ...algorithm, 'x-amz-checksum-type': type };
}

/** All parts, each with its checksum in a header. */
async function sendAll(s3: S3Client, upload: Upload, name: ChecksumName): Promise<SentPart[]> {
  const sent: SentPart[] = [];
  for (const [index, body] of parts.entries()) {
    const checksum = checksumOf(name, body);
    const answer = await sendPart(s3, upload, index + 1, body, { [headerOf(name)]: checksum });
    assert.equal(answer.outcome, '200', answer.text);
    assert.equal(answer.headers[headerOf(name)], checksum);
    sent.push({ etag: answer.etag, checksum });
  }
  return sent;
}

async function expectChecksum(s3: S3Client, upload: Upload, name: ChecksumName, type: Type): Promise<void> {
  const { bucket, key } = upload;
  const value = expected(name, type);
  for (const method of ['HEAD', 'GET']) {
    const answer = await s3.send({ method, bucket, key, headers: { 'x-amz-checksum-mode': 'ENABLED' } });
    assert.equal(answer.status, 200);
    assert.deepEqual([answer.headers[headerOf(name)], answer.headers['x-amz-checksum-type']], [value, type], method);
    if (method === 'GET') assert.ok(answer.body.equals(whole));
    const unasked = await s3.send({ method, bucket, key });
    assert.equal(unasked.headers[headerOf(name)], undefined);
  }
  const ranged = await s3.get(bucket, key, { 'x-amz-checksum-mode': 'ENABLED', range: 'bytes=0-9' });
  assert.deepEqual([ranged.status, ranged.headers[headerOf(name)]], [206, undefined]);
}

/** What an algorithm can be, by the S3 user guide ("Checking object integrity"). */
const typesOf: Readonly<Record<ChecksumName, readonly Type[]>> = {
  crc32: ['COMPOSITE', 'FULL_OBJECT'],
  crc32c: ['COMPOSITE', 'FULL_OBJECT'],
  crc64nvme: ['FULL_OBJECT'],
  md5: ['COMPOSITE'],
  sha1: ['COMPOSITE'],
  sha256: ['COMPOSITE'],
  sha512: ['COMPOSITE'],
};

describe('checksums of multipart objects', () => {
  const suite = suiteWithGateway(['sums']);

  for (const name of checksumNames) {
    for (const type of typesOf[name]) {
      it(`are kept, and given back: ${name}, ${type}`, async () => {
        const { s3 } = suite;
        const created = await s3.send({
          method: 'POST',
          bucket: 'sums',
          key: `${name} ${type}`,
          query: { uploads: '' },
          headers: asksFor(name, type),
        });
        assert.equal(created.headers['x-amz-checksum-algorithm'], name.toUpperCase());
        assert.equal(created.headers['x-amz-checksum-type'], type);
        const uploadId = textOf(created.xml, 'UploadId') ?? '';
        const upload = { bucket: 'sums', key: `${name} ${type}`, uploadId };
        const sent = await sendAll(s3, upload, name);
        const listed = await s3.send({ method: 'GET', bucket: 'sums', key: upload.key, query: { uploadId } });
        assert.equal(textOf(listed.xml, 'ChecksumAlgorithm'), name.toUpperCase());
        assert.equal(textOf(listed.xml, 'ChecksumType'), type);
        assert.deepEqual(
          all(listed.xml, 'Part').map((part) => ({
            etag: textOf(part, 'ETag'),
            checksum: textOf(part, elementOf(name)),
          })),
          sent,
        );
        const answer = await complete(s3, upload, name, sent, { [headerOf(name)]: expected(name, type) });
        assert.equal(answer.outcome, '200', answer.text);
        assert.equal(textOf(answer.xml, elementOf(name)), expected(name, type));
        assert.equal(textOf(answer.xml, 'ChecksumType'), type);
        await expectChecksum(s3, upload, name, type);
        // Complete again gives the same answer.
        const again = await complete(s3, upload, name, sent);
        assert.equal(textOf(again.xml, elementOf(name)), expected(name, type));
      });
    }
  }

  it('of the whole object are computed where parts come without', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'sums', 'computed', asksFor('crc64nvme'));
    const sent: SentPart[] = [];
    for (const [index, body] of parts.entries()) {
      const answer = await sendPart(s3, upload, index + 1, body);
      assert.equal(answer.headers['x-amz-checksum-crc64nvme'], checksumOf('crc64nvme', body));
      sent.push({ etag: answer.etag });
    }
    const headers = {
      'x-amz-checksum-crc64nvme': expected('crc64nvme', 'FULL_OBJECT'),
      'x-amz-mp-object-size': String(whole.length),
    };
    assert.equal((await complete(s3, upload, 'crc64nvme', sent, headers)).outcome, '200');
    await expectChecksum(s3, upload, 'crc64nvme', 'FULL_OBJECT');
  });

  it('of parts that are copied are computed', async () => {
    const { s3 } = suite;
    await s3.put('sums', 'source', whole);
    const upload = await createUpload(s3, 'sums', 'copied', asksFor('sha256'));
    const sent: SentPart[] = [];
    let offset = 0;
    for (const [index, bytes] of parts.entries()) {
      const { bucket, key, uploadId } = upload;
      const query = { partNumber: String(index + 1), uploadId };
      const headers = {
        'x-amz-copy-source': 'sums/source',
        'x-amz-copy-source-range': `bytes=${offset}-${offset + bytes.length - 1}`,
      };
      const { xml } = await s3.send({ method: 'PUT', bucket, key, query, headers });
      const checksum = textOf(xml, 'ChecksumSHA256') ?? '';
      assert.equal(checksum, checksumOf('sha256', bytes));
      sent.push({ etag: textOf(xml, 'ETag') ?? '', checksum });
      offset += bytes.length;
    }
    assert.equal((await complete(s3, upload, 'sha256', sent)).outcome, '200');
    await expectChecksum(s3, upload, 'sha256', 'COMPOSITE');
  });

  it('go with a copy; of a composite one the copy has that of the whole where its bytes stream', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'sums', 'original', asksFor('crc32c', 'FULL_OBJECT'));
    await complete(s3, upload, 'crc32c', await sendAll(s3, upload, 'crc32c'));
    const headers = { 'x-amz-copy-source': 'sums/original' };
    assert.equal((await s3.send({ method: 'PUT', bucket: 'sums', key: 'copy', headers })).outcome, '200');
    await expectChecksum(s3, { ...upload, key: 'copy' }, 'crc32c', 'FULL_OBJECT');
    const composite = await createUpload(s3, 'sums', 'composite', asksFor('sha1'));
    await complete(s3, composite, 'sha1', await sendAll(s3, composite, 'sha1'));
    const asking = { 'x-amz-copy-source': 'sums/composite', 'x-amz-checksum-algorithm': 'SHA1' };
    const answer = await s3.send({ method: 'PUT', bucket: 'sums', key: 'whole', headers: asking });
    assert.equal(textOf(answer.xml, 'ChecksumSHA1'), checksumOf('sha1', whole));
    await expectChecksum(s3, { ...upload, key: 'whole' }, 'sha1', 'FULL_OBJECT');
  });

  it('that do not hold complete nothing', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'sums', 'refused', asksFor('sha256'));
    const sent = await sendAll(s3, upload, 'sha256');
    const [first, ...rest] = sent;
    assert.ok(first !== undefined);
    const swapped = rest.length > 1 ? [{ ...first, checksum: rest[0]?.checksum ?? '' }, ...rest] : [];
    const forged = [{ ...first, etag: first.etag.replace(/.{5}"$/, '00000"') }, ...rest];
    const rows: readonly (readonly [readonly SentPart[], Record<string, string>, string])[] = [
      [swapped, {}, '400 InvalidPart'],
      [forged, {}, '400 InvalidPart'],
      [[{ etag: first.etag }, ...rest], {}, '400 InvalidRequest'],
      [sent, { 'x-amz-checksum-sha256': checksumOf('sha256', whole) }, '400 BadDigest'],
      [sent, { 'x-amz-checksum-type': 'FULL_OBJECT' }, '400 InvalidRequest'],
      [sent, { 'x-amz-mp-object-size': '1' }, '400 InvalidRequest'],
    ];
    for (const [named, headers, outcome] of rows) {
      assert.equal((await complete(s3, upload, 'sha256', named, headers)).outcome, outcome);
      assert.equal((await s3.head('sums', 'refused')).status, 404);
    }
    assert.equal((await complete(s3, upload, 'sha256', sent)).outcome, '200');
  });

  it('of parts are those that the upload was created for', async () => {
    const { s3 } = suite;
    const body = seededBytes('mismatch', 1000);
    const upload = await createUpload(s3, 'sums', 'mismatch', asksFor('crc32'));
    const other = await sendPart(s3, upload, 1, body, { 'x-amz-checksum-sha1': checksumOf('sha1', body) });
    assert.equal(other.outcome, '400 InvalidRequest');
    assert.match(other.text, /expected checksum Type: crc32, actual checksum Type: sha1/);
    assert.equal((await sendPart(s3, upload, 1, body)).outcome, '400 InvalidRequest');
    const wrong = await sendPart(s3, upload, 1, body, { 'x-amz-checksum-crc32': checksumOf('crc32', whole) });
    assert.equal(wrong.outcome, '400 BadDigest');
    for (const headers of [
      asksFor('sha256', 'FULL_OBJECT'),
      asksFor('crc64nvme', 'COMPOSITE'),
      { 'x-amz-checksum-algorithm': 'MD4' },
      { 'x-amz-checksum-type': 'COMPOSITE' },
    ]) {
      const refused = await s3.send({ method: 'POST', bucket: 'sums', key: 'k', query: { uploads: '' }, headers });
      assert.equal(refused.outcome, '400 InvalidRequest', JSON.stringify(headers));
    }
  });

  it('are left out where a client names parts by ETags that do not carry them', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'sums', 'bare', asksFor('crc32', 'FULL_OBJECT'));
    const sent = await sendAll(s3, upload, 'crc32');
    const bare = sent.map(({ etag }) => ({ etag: etag.replace(/-[0-9a-f]{16}-[0-9a-f]+"$/, '"') }));
    const headers = { 'x-amz-checksum-crc32': checksumOf('crc32', whole) };
    assert.equal((await complete(s3, upload, 'crc32', bare, headers)).outcome, '400 InvalidRequest');
    const answer = await complete(s3, upload, 'crc32', bare);
    assert.deepEqual([answer.outcome, textOf(answer.xml, 'ChecksumCRC32')], ['200', undefined]);
    const got = await s3.get('sums', 'bare', { 'x-amz-checksum-mode': 'ENABLED' });
    assert.deepEqual([got.body.equals(whole), got.headers['x-amz-checksum-crc32']], [true, undefined]);
  });
});

describe('checksums of parts that several gateways took', () => {
  it('survive restarts', async () => {
    const directory = await temporaryDirectory();
    try {
      const name = 'crc64nvme';
      const sent: SentPart[] = [];
      let upload: Upload | undefined;
      for (const [index, body] of parts.entries()) {
        await using gateway = await Gateway.start({ directory });
        using s3 = new S3Client(gateway);
        if (index === 0) await s3.createBucket('sums');
        upload ??= await createUpload(s3, 'sums', 'k', asksFor(name));
        const { etag } = await uploadPart(s3, upload, index + 1, body);
        sent.push({ etag });
        if (index === 1) await gateway.kill();
      }
      assert.ok(upload !== undefined);
      await using gateway = await Gateway.start({ directory });
      using s3 = new S3Client(gateway);
      const headers = { [headerOf(name)]: expected(name, 'FULL_OBJECT') };
      assert.equal((await complete(s3, upload, name, sent, headers)).outcome, '200');
      await expectChecksum(s3, upload, name, 'FULL_OBJECT');
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe('checksums of objects that were put in one piece', () => {
  const suite = suiteWithGateway(['sums']);

  it('are given back with the object, also those that came behind it', async () => {
    const { s3 } = suite;
    for (const size of [0, 1000, 500_000]) {
      const bytes = seededBytes(`single ${size}`, size);
      for (const name of checksumNames) {
        const value = checksumOf(name, bytes);
        const put = await s3.put('sums', 'header', bytes, { [headerOf(name)]: value });
        assert.equal(put.headers[headerOf(name)], value);
        const chunked =
          (size === 0 ? '' : `${size.toString(16)}\r\n${bytes.toString('latin1')}\r\n`) +
          `0\r\n${headerOf(name)}:${value}\r\n\r\n`;
        const trailed = await s3.put('sums', 'trailer', Buffer.from(chunked, 'latin1'), {
          'content-encoding': 'aws-chunked',
          'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          'x-amz-decoded-content-length': String(size),
          'x-amz-trailer': headerOf(name),
        });
        assert.equal(trailed.outcome, '200', trailed.text);
        for (const key of ['header', 'trailer']) {
          for (const method of ['HEAD', 'GET', 'HEAD']) {
            const headers = { 'x-amz-checksum-mode': 'ENABLED' };
            const answer = await s3.send({ method, bucket: 'sums', key, headers });
            assert.deepEqual(
              [answer.status, answer.headers[headerOf(name)], answer.headers['x-amz-checksum-type']],
              [200, value, 'FULL_OBJECT'],
              `${method} ${key} ${name} ${size}`,
            );
            if (method === 'GET') assert.ok(answer.body.equals(bytes));
          }
        }
      }
    }
  });
});
