import assert from 'node:assert/strict';

import type { S3Client } from './client.ts';
import type { S3Response } from './response.ts';
import { all, escapeXml, textOf } from './xml.ts';

/** An open upload. */
export interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

/** A part as Complete names it. */
export interface Part {
  readonly partNumber: number;
  readonly etag: string;
}

/** A part as ListParts shows it. */
export interface ListedPart extends Part {
  readonly sizeBytes: number;
}

export async function createUpload(
  s3: S3Client,
  bucket: string,
  key: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Upload> {
  const answer = await s3.send({ method: 'POST', bucket, key, query: { uploads: '' }, headers });
  assert.equal(answer.outcome, '200', answer.text);
  const uploadId = textOf(answer.xml, 'UploadId');
  assert.ok(uploadId !== undefined && uploadId !== '');
  assert.deepEqual([textOf(answer.xml, 'Bucket'), textOf(answer.xml, 'Key')], [bucket, key]);
  return { bucket, key, uploadId };
}

/** The answer to UploadPart, whatever it is. */
export async function sendPart(
  s3: S3Client,
  { bucket, key, uploadId }: Upload,
  partNumber: number,
  body: Uint8Array | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<S3Response> {
  return s3.send({ method: 'PUT', bucket, key, query: { partNumber: String(partNumber), uploadId }, body, headers });
}

/** Uploads a part, which must succeed. */
export async function uploadPart(
  s3: S3Client,
  upload: Upload,
  partNumber: number,
  body: Uint8Array | string,
): Promise<Part> {
  const answer = await sendPart(s3, upload, partNumber, body);
  assert.equal(answer.outcome, '200', answer.text);
  assert.match(answer.etag, /^"[^"]+"$/);
  return { partNumber, etag: answer.etag };
}

export async function completeUpload(
  s3: S3Client,
  { bucket, key, uploadId }: Upload,
  parts: readonly Part[],
  headers: Readonly<Record<string, string>> = {},
): Promise<S3Response> {
  const entries = parts.map(
    ({ partNumber, etag }) => `<Part><PartNumber>${partNumber}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`,
  );
  const body =
    '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `${entries.join('')}</CompleteMultipartUpload>`;
  return s3.send({ method: 'POST', bucket, key, query: { uploadId }, body, headers });
}

export async function abortUpload(s3: S3Client, { bucket, key, uploadId }: Upload): Promise<S3Response> {
  return s3.send({ method: 'DELETE', bucket, key, query: { uploadId } });
}

/** All parts of an upload, page after page. */
export async function listParts(
  s3: S3Client,
  { bucket, key, uploadId }: Upload,
  maxParts?: number,
): Promise<readonly ListedPart[]> {
  const found: ListedPart[] = [];
  let marker: string | undefined;
  do {
    const query = {
      uploadId,
      ...(maxParts === undefined ? {} : { 'max-parts': String(maxParts) }),
      ...(marker === undefined ? {} : { 'part-number-marker': marker }),
    };
    const answer = await s3.send({ method: 'GET', bucket, key, query });
    assert.equal(answer.outcome, '200', answer.text);
    const { xml } = answer;
    const page = all(xml, 'Part').map((part) => ({
      partNumber: Number(textOf(part, 'PartNumber')),
      etag: textOf(part, 'ETag') ?? '',
      sizeBytes: Number(textOf(part, 'Size')),
    }));
    if (maxParts !== undefined) assert.ok(page.length <= maxParts);
    found.push(...page);
    marker = textOf(xml, 'IsTruncated') === 'true' ? textOf(xml, 'NextPartNumberMarker') : undefined;
  } while (marker !== undefined);
  return found;
}

/** Keys and ids of all open uploads of a bucket, page after page. */
export async function listUploads(
  s3: S3Client,
  bucket: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<readonly Upload[]> {
  const found: Upload[] = [];
  let markers: Record<string, string> | undefined = {};
  do {
    const answer = await s3.send({ method: 'GET', bucket, query: { uploads: '', ...parameters, ...markers } });
    assert.equal(answer.outcome, '200', answer.text);
    const { xml } = answer;
    for (const upload of all(xml, 'Upload')) {
      found.push({ bucket, key: textOf(upload, 'Key') ?? '', uploadId: textOf(upload, 'UploadId') ?? '' });
    }
    const isTruncated = textOf(xml, 'IsTruncated') === 'true';
    markers = isTruncated
      ? {
          'key-marker': textOf(xml, 'NextKeyMarker') ?? '',
          'upload-id-marker': textOf(xml, 'NextUploadIdMarker') ?? '',
        }
      : undefined;
  } while (markers !== undefined);
  return found;
}
