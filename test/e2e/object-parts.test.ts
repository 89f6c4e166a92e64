import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { checksumOf } from './support/checksums.ts';
import { CopySuite } from './support/copies.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import type { S3Response } from './support/response.ts';
import { all, textOf, type Xml } from './support/xml.ts';

const MiB = 1024 ** 2;
const parts = [5 * MiB, 5 * MiB + 65_537, 70_001].map((size, index) => seededBytes(`piece ${index}`, size));
const whole = Buffer.concat(parts);
const single = seededBytes('single', 200_001);

describe('parts of objects', () => {
  const suite = new CopySuite();

  before(async () => {
    const { s3 } = suite;
    for (const bucket of ['alpha', 'beta', 'off']) {
      const upload = await createUpload(s3, bucket, 'parts');
      // The numbers under which they are sent do not matter afterwards.
      const sent = [];
      for (const [index, body] of parts.entries()) sent.push(await uploadPart(s3, upload, 3 * index + 2, body));
      assert.equal((await completeUpload(s3, upload, sent)).outcome, '200');
      await s3.put(bucket, 'single', single);
      await s3.put(bucket, 'empty', '');
    }
  });

  async function part(
    method: string,
    bucket: string,
    key: string,
    partNumber: number | string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<S3Response> {
    return suite.s3.send({ method, bucket, key, query: { partNumber: String(partNumber) }, headers });
  }

  it('are read one by one', async () => {
    for (const bucket of ['alpha', 'beta', 'off']) {
      let offset = 0;
      for (const [index, bytes] of parts.entries()) {
        for (const method of ['GET', 'HEAD']) {
          const answer = await part(method, bucket, 'parts', index + 1);
          assert.deepEqual(
            [
              answer.status,
              answer.headers['content-length'],
              answer.headers['content-range'],
              answer.headers['x-amz-mp-parts-count'],
            ],
            [206, String(bytes.length), `bytes ${offset}-${offset + bytes.length - 1}/${whole.length}`, '3'],
            `${method} part ${index + 1}`,
          );
          if (method === 'GET') assert.ok(answer.body.equals(bytes));
          assert.equal(answer.etag, (await suite.s3.head(bucket, 'parts')).etag);
        }
        offset += bytes.length;
      }
      assert.equal((await suite.s3.head(bucket, 'parts')).headers['x-amz-mp-parts-count'], undefined);
    }
  });

  it('are one of an object that was put in one piece', async () => {
    for (const bucket of ['alpha', 'beta', 'off']) {
      const whole = await part('GET', bucket, 'single', 1);
      assert.ok(whole.body.equals(single));
      assert.deepEqual(
        [whole.status, whole.headers['content-range'], whole.headers['x-amz-mp-parts-count']],
        [206, `bytes 0-${single.length - 1}/${single.length}`, undefined],
      );
      const empty = await part('GET', bucket, 'empty', 1);
      assert.deepEqual([empty.status, empty.headers['content-length'], empty.body.length], [200, '0', 0]);
    }
  });

  it('are not read beyond the last one', async () => {
    const beyond = await part('GET', 'alpha', 'parts', 4);
    assert.equal(beyond.outcome, '416 InvalidPartNumber');
    assert.deepEqual([textOf(beyond.xml, 'ActualPartCount'), textOf(beyond.xml, 'PartNumberRequested')], ['3', '4']);
    assert.equal((await part('HEAD', 'alpha', 'parts', 4)).status, 416);
    assert.equal((await part('GET', 'alpha', 'single', 2)).outcome, '416 InvalidPartNumber');
    assert.equal((await part('GET', 'off', 'single', 2)).outcome, '416 InvalidPartNumber');
    for (const number of [0, -1, 10_001, 'x', '1.5']) {
      assert.equal((await part('GET', 'alpha', 'parts', number)).outcome, '400 InvalidArgument', String(number));
    }
    assert.equal((await part('GET', 'alpha', 'absent', 1)).status, 404);
    assert.equal((await part('GET', 'alpha', 'parts', 1, { range: 'bytes=0-1' })).outcome, '400 InvalidRequest');
  });

  it('are read under conditions', async () => {
    const { etag } = await suite.s3.head('alpha', 'parts');
    assert.equal((await part('GET', 'alpha', 'parts', 2, { 'if-match': etag })).status, 206);
    assert.equal((await part('GET', 'alpha', 'parts', 2, { 'if-match': '"other"' })).status, 412);
    assert.equal((await part('GET', 'alpha', 'parts', 2, { 'if-none-match': etag })).status, 304);
  });

  it('stay those of the object when it is copied', async () => {
    const headers = { 'x-amz-copy-source': 'alpha/parts' };
    assert.equal((await suite.s3.send({ method: 'PUT', bucket: 'beta', key: 'copied', headers })).outcome, '200');
    const second = await part('GET', 'beta', 'copied', 2);
    assert.ok(second.body.equals(parts[1] ?? Buffer.alloc(0)));
  });
});

const childrenOf = (xml: Xml): string[] => xml.children.map(({ name }) => name);

describe('attributes of objects', () => {
  const suite = new CopySuite();

  async function attributes(
    bucket: string,
    key: string,
    names: string | undefined,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<S3Response> {
    const asked = names === undefined ? {} : { 'x-amz-object-attributes': names };
    return suite.s3.send({ method: 'GET', bucket, key, query: { attributes: '' }, headers: { ...asked, ...headers } });
  }

  it('agree with HEAD', async () => {
    const { s3 } = suite;
    for (const bucket of ['alpha', 'off']) {
      await s3.put(bucket, 'single', single, { 'x-amz-checksum-crc32': checksumOf('crc32', single) });
      const head = await s3.head(bucket, 'single');
      const answer = await attributes(bucket, 'single', 'ETag,Checksum,ObjectParts,StorageClass,ObjectSize');
      assert.equal(answer.outcome, '200', answer.text);
      assert.equal(answer.xml.name, 'GetObjectAttributesResponse');
      assert.equal(textOf(answer.xml, 'ETag'), head.etag.replaceAll('"', ''));
      assert.equal(textOf(answer.xml, 'ObjectSize'), String(single.length));
      assert.equal(textOf(answer.xml, 'StorageClass'), 'STANDARD');
      assert.equal(answer.headers['last-modified'], head.headers['last-modified']);
      assert.ok(!childrenOf(answer.xml).includes('ObjectParts'));
      const [checksum] = all(answer.xml, 'Checksum');
      if (bucket === 'alpha') {
        assert.ok(checksum !== undefined);
        assert.deepEqual(
          [textOf(checksum, 'ChecksumCRC32'), textOf(checksum, 'ChecksumType')],
          [checksumOf('crc32', single), 'FULL_OBJECT'],
        );
      }
    }
  });

  it('are only those that were asked for', async () => {
    await suite.s3.put('alpha', 'k', 'content');
    assert.deepEqual(childrenOf((await attributes('alpha', 'k', 'ObjectSize')).xml), ['ObjectSize']);
    assert.deepEqual(childrenOf((await attributes('alpha', 'k', 'ObjectSize, ETag')).xml), ['ETag', 'ObjectSize']);
    assert.deepEqual(childrenOf((await attributes('alpha', 'k', 'Checksum,ObjectParts')).xml), []);
  });

  it('list the parts, page by page, and the checksum without its count', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'alpha', 'parts', {
      'x-amz-checksum-algorithm': 'CRC32',
      'x-amz-checksum-type': 'FULL_OBJECT',
    });
    const sent = [];
    for (const [index, body] of parts.entries()) sent.push(await uploadPart(s3, upload, index + 1, body));
    await completeUpload(s3, upload, sent);
    const sizes: number[] = [];
    let marker = '0';
    for (;;) {
      const paging = { 'x-amz-max-parts': '2', 'x-amz-part-number-marker': marker };
      const { xml } = await attributes('alpha', 'parts', 'ObjectParts,Checksum', paging);
      const [page] = all(xml, 'ObjectParts');
      assert.ok(page !== undefined);
      assert.deepEqual([textOf(page, 'PartsCount'), textOf(page, 'MaxParts')], ['3', '2']);
      assert.equal(textOf(page, 'PartNumberMarker'), marker);
      sizes.push(...all(page, 'Part').map((each) => Number(textOf(each, 'Size'))));
      const [checksum] = all(xml, 'Checksum');
      assert.equal(checksum && textOf(checksum, 'ChecksumCRC32'), checksumOf('crc32', whole));
      marker = textOf(page, 'NextPartNumberMarker') ?? '';
      if (textOf(page, 'IsTruncated') !== 'true') break;
      assert.ok(sizes.length < 3);
    }
    assert.deepEqual(
      sizes,
      parts.map(({ length }) => length),
    );
  });

  it('answer as S3 for what is not there or not well formed', async () => {
    await suite.s3.put('alpha', 'k', 'content');
    assert.equal((await attributes('alpha', 'absent', 'ETag')).outcome, '404 NoSuchKey');
    assert.equal((await attributes('alpha-nowhere', 'k', 'ETag')).outcome, '404 NoSuchBucket');
    assert.equal((await attributes('alpha', 'k', undefined)).outcome, '400 InvalidArgument');
    assert.equal((await attributes('alpha', 'k', '')).outcome, '400 InvalidArgument');
    assert.equal((await attributes('alpha', 'k', 'ETag,Owner')).outcome, '400 InvalidArgument');
    const bad = await attributes('alpha', 'k', 'ObjectParts', { 'x-amz-max-parts': 'many' });
    assert.equal(bad.outcome, '400 InvalidArgument');
  });
});
