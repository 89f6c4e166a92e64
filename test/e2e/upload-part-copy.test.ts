import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { copyBuckets, CopySuite, described, oneWay } from './support/copies.ts';
import { completeUpload, createUpload, listParts, uploadPart, type Part, type Upload } from './support/multipart.ts';
import type { S3Response } from './support/response.ts';
import { textOf } from './support/xml.ts';

const MiB = 1024 ** 2;

function partOf(answer: S3Response, partNumber: number): Part {
  assert.equal(answer.outcome, '200', answer.text);
  assert.equal(answer.xml.name, 'CopyPartResult');
  const age = Date.now() - Date.parse(textOf(answer.xml, 'LastModified') ?? '');
  assert.ok(age >= -1000 && age < 300_000, `copied ${age} ms ago`);
  return { partNumber, etag: textOf(answer.xml, 'ETag') ?? '' };
}

const range = (first: number, last: number): Record<string, string> => ({
  'x-amz-copy-source-range': `bytes=${first}-${last}`,
});

describe('UploadPartCopy', () => {
  const suite = new CopySuite();

  async function copyPart(
    source: string,
    { bucket, key, uploadId }: Upload,
    partNumber: number,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<S3Response> {
    const query = { partNumber: String(partNumber), uploadId };
    return suite.s3.send({ method: 'PUT', bucket, key, query, headers: { 'x-amz-copy-source': source, ...headers } });
  }

  /** An object of two parts, whose border lies at 5 MiB + 1. */
  async function twoParts(bucket: string, key: string): Promise<Buffer> {
    const bytes = seededBytes(`${bucket} two parts`, 12 * MiB);
    const upload = await createUpload(suite.s3, bucket, key, described);
    const parts = [
      await uploadPart(suite.s3, upload, 1, bytes.subarray(0, 5 * MiB + 1)),
      await uploadPart(suite.s3, upload, 2, bytes.subarray(5 * MiB + 1)),
    ];
    assert.equal((await completeUpload(suite.s3, upload, parts)).outcome, '200');
    return bytes;
  }

  it('joins whole objects and ranges, from everywhere to everywhere', async () => {
    for (const from of ['alpha', 'far', 'off']) {
      const bytes = await twoParts(from, 'source');
      const small = seededBytes('small', 70_001);
      await suite.s3.put(from, 'small', small);
      for (const to of copyBuckets) {
        const upload = await createUpload(suite.s3, to, 'joined');
        const ranges = [
          [0, 5 * MiB - 1],
          [5 * MiB - 100, 10 * MiB + 700],
          [5 * MiB + 1, 11 * MiB],
        ] as const;
        const parts: Part[] = [];
        for (const [index, [first, last]] of ranges.entries()) {
          const answer = await copyPart(`${from}/source`, upload, index + 1, range(first, last));
          parts.push(partOf(answer, index + 1));
        }
        parts.push(partOf(await copyPart(`${from}/small`, upload, 4), 4));
        const listed = await listParts(suite.s3, upload);
        assert.deepEqual(
          listed.map(({ sizeBytes }) => sizeBytes),
          [...ranges.map(([first, last]) => last - first + 1), small.length],
        );
        assert.deepEqual(
          listed.map(({ etag }) => etag),
          parts.map(({ etag }) => etag),
        );
        assert.equal((await completeUpload(suite.s3, upload, parts)).outcome, '200');
        const expected = Buffer.concat([...ranges.map(([first, last]) => bytes.subarray(first, last + 1)), small]);
        const got = await suite.s3.get(to, 'joined');
        assert.ok(got.body.equals(expected), `${from} to ${to}`);
      }
    }
  });

  it('copies ranges within one segment and of one byte, beside parts that are sent', async () => {
    const bytes = seededBytes('segments', 400_000);
    await suite.s3.put('alpha', 'segments', bytes);
    for (const [first, last] of [
      [0, 0],
      [65_535, 65_536],
      [100, 131_072],
      [399_999, 399_999],
    ] as const) {
      const upload = await createUpload(suite.s3, 'beta', 'mixed-parts');
      const sent = seededBytes('sent', 5 * MiB);
      const parts = [
        await uploadPart(suite.s3, upload, 1, sent),
        partOf(await copyPart('alpha/segments', upload, 2, range(first, last)), 2),
      ];
      await completeUpload(suite.s3, upload, parts);
      const expected = Buffer.concat([sent, bytes.subarray(first, last + 1)]);
      assert.ok((await suite.s3.get('beta', 'mixed-parts')).body.equals(expected));
    }
  });

  it('holds the source against its conditions', async () => {
    const { etag } = await suite.s3.put('alpha', 'k', 'content');
    for (const bucket of ['beta', 'off']) {
      const upload = await createUpload(suite.s3, bucket, 'conditional');
      const rows: readonly (readonly [Record<string, string>, string])[] = [
        [{ 'x-amz-copy-source-if-match': etag }, '200'],
        [{ 'x-amz-copy-source-if-match': '"other"' }, '412 PreconditionFailed'],
        [{ 'x-amz-copy-source-if-none-match': etag }, '412 PreconditionFailed'],
        [{ 'x-amz-copy-source-if-none-match': '"other"' }, '200'],
      ];
      for (const [headers, outcome] of rows) {
        assert.equal((await copyPart('alpha/k', upload, 1, headers)).outcome, outcome, JSON.stringify(headers));
      }
    }
  });

  it('answers as S3 for what is not there or not well formed', async () => {
    await suite.s3.put('alpha', 'k', 'content');
    for (const bucket of ['beta', 'off']) {
      const upload = await createUpload(suite.s3, bucket, 'refused');
      const rows: readonly (readonly [source: string, Record<string, string>, string])[] = [
        ['alpha/absent', {}, '404 NoSuchKey'],
        ['alpha-nowhere/k', {}, '404 NoSuchBucket'],
        ['alpha/k?versionId=absent', {}, '404 NoSuchVersion'],
        ['alpha', {}, '400 InvalidArgument'],
        ['alpha/.s3eg/x', {}, '403 AccessDenied'],
        ['alpha/k', range(0, 7), '400 InvalidArgument'],
        ['alpha/k', range(7, 7), '400 InvalidArgument'],
        ['alpha/k', { 'x-amz-copy-source-range': 'bytes=0-' }, '400 InvalidArgument'],
        ['alpha/k', { 'x-amz-copy-source-range': 'bytes=-3' }, '400 InvalidArgument'],
        ['alpha/k', range(0, 6), '200'],
      ];
      for (const [source, headers, outcome] of rows) {
        assert.equal((await copyPart(source, upload, 1, headers)).outcome, outcome, `${source} to ${bucket}`);
      }
      assert.equal((await copyPart('alpha/k', upload, 0)).outcome, '400 InvalidArgument');
      assert.equal((await copyPart('alpha/k', upload, 10_001)).outcome, '400 InvalidArgument');
      const over = { ...upload, uploadId: 'no-such-upload' };
      assert.equal((await copyPart('alpha/k', over, 1)).outcome, '404 NoSuchUpload');
    }
  });

  it('needs the right to read the source', async () => {
    const upload = await createUpload(suite.s3, 'beta', 'rights');
    const { bucket, key, uploadId } = upload;
    const send = async (source: string): Promise<string> => {
      const headers = { 'x-amz-copy-source': source };
      const query = { partNumber: '1', uploadId };
      return (await suite.s3.send({ method: 'PUT', bucket, key, query, headers, credentials: oneWay })).outcome;
    };
    await suite.s3.put('alpha', 'k', 'content');
    await suite.s3.put('beta', 'k', 'content');
    assert.equal(await send('alpha/k'), '200');
    assert.equal(await send('beta/k'), '403 AccessDenied');
  });
});
