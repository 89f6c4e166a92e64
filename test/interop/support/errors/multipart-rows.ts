/** Uploads in parts. */
import { checksumOf, md5Of, sha256Hex } from '../../../e2e/support/checksums.ts';
import type { ErrorRow } from './row.ts';
import type { Call, Stage } from './stage.ts';

/** In the form that MinIO gives, and of no upload. */
const noUpload = Buffer.from(
  '5b7b5a2a-1f7c-4c27-9f0c-6d2d3b4e1a2b.0d6f3f0e-6a3e-4c3f-8d62-3c7f5a1b2c3dx1700000000',
).toString('base64url');
const part =
  (query: Readonly<Record<string, string>>, more: Partial<Call> = {}) =>
  ({ uploadId }: Stage): Call => ({
    method: 'PUT',
    key: 'mp',
    body: 'content',
    query: { partNumber: '3', uploadId, ...query },
    ...more,
  });

const complete =
  (body: string | ((stage: Stage) => string), uploadId?: string) =>
  (stage: Stage): Call => ({
    method: 'POST',
    key: 'mp',
    query: { uploadId: uploadId ?? stage.uploadId },
    body: typeof body === 'string' ? body : body(stage),
  });

const document = (parts: readonly (readonly [number | string, string])[]): string =>
  `<CompleteMultipartUpload>${parts
    .map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`)
    .join('')}</CompleteMultipartUpload>`;

const [first, second] = [0, 1].map(
  (index) =>
    ({ partEtags }: Stage): string =>
      partEtags[index] ?? '',
);
const parts =
  (...listed: readonly [number, (stage: Stage) => string][]) =>
  (stage: Stage): string =>
    document(listed.map(([number, etag]) => [number, etag(stage)]));
const fixed = (etag: string) => (): string => etag;
if (first === undefined || second === undefined) throw new Error('two parts');

/** Uploading, completing, aborting, listing. */
export const multipartRows: readonly ErrorRow[] = [
  { name: 'part of no upload', call: part({ uploadId: noUpload }) },
  { name: 'part of an upload id that is none', call: part({ uploadId: 'nonsense' }) },
  { name: 'part of the upload of another key', call: part({}, { key: 'other' }) },
  { name: 'part 0', call: part({ partNumber: '0' }) },
  { name: 'part 10 001', call: part({ partNumber: '10001' }) },
  { name: 'part -1', call: part({ partNumber: '-1' }) },
  { name: 'part x', call: part({ partNumber: 'x' }) },
  { name: 'part with a wrong Content-MD5', call: part({}, { headers: { 'content-md5': md5Of(Buffer.from('x')) } }) },
  { name: 'part with a Content-MD5 that is none', call: part({}, { headers: { 'content-md5': 'nonsense' } }) },
  { name: 'part with a wrong x-amz-content-sha256', call: part({}, { payloadHash: sha256Hex('other') }) },
  {
    name: 'part with a wrong checksum',
    call: part({}, { headers: { 'x-amz-checksum-crc32': checksumOf('crc32', Buffer.from('x')) } }),
  },
  {
    name: 'part without a length',
    call: part(
      {},
      {
        tamper: ({ headers: { 'content-length': _length, ...headers }, ...sent }) => ({ ...sent, headers, body: '' }),
      },
    ),
  },
  {
    name: 'part of 6 GiB',
    call: part(
      {},
      {
        tamper: (sent) => ({
          ...sent,
          headers: { ...sent.headers, 'content-length': String(6 * 1024 ** 3) },
          body: '',
        }),
      },
    ),
  },
  { name: 'complete: no upload', call: complete(parts([1, first]), noUpload) },
  { name: 'complete: an upload id that is none', call: complete(parts([1, first]), 'nonsense') },
  { name: 'complete: no document', call: complete('') },
  { name: 'complete: no XML', call: complete('nonsense') },
  { name: 'complete: another document', call: complete('<Other/>') },
  { name: 'complete: no parts', call: complete(document([])) },
  { name: 'complete: a part that is not there', call: complete(parts([9, first])) },
  { name: 'complete: a part with another ETag', call: complete(parts([1, fixed(`"${'0'.repeat(32)}"`)])) },
  { name: 'complete: a part with an ETag that is none', call: complete(parts([1, fixed('nonsense')])) },
  { name: 'complete: ETags changed over', call: complete(parts([1, second], [2, first])) },
  { name: 'complete: parts in the wrong order', call: complete(parts([2, second], [1, first])) },
  { name: 'complete: a part twice', call: complete(parts([1, first], [1, first])) },
  { name: 'complete: part 0', call: complete(parts([0, first])) },
  { name: 'complete: part 10 001', call: complete(parts([10_001, first])) },
  { name: 'complete: a part number that is none', call: complete((stage) => document([['x', first(stage)]])) },
  { name: 'complete: a first part that is too small', call: complete(parts([1, first], [2, second])) },
  { name: 'abort: no upload', call: { method: 'DELETE', key: 'mp', query: { uploadId: noUpload } } },
  { name: 'abort: an upload id that is none', call: { method: 'DELETE', key: 'mp', query: { uploadId: 'nonsense' } } },
  { name: 'abort: another key', call: ({ uploadId }) => ({ method: 'DELETE', key: 'other', query: { uploadId } }) },
  { name: 'parts: no upload', call: { key: 'mp', query: { uploadId: noUpload } } },
  { name: 'parts: max-parts -1', call: ({ uploadId }) => ({ key: 'mp', query: { uploadId, 'max-parts': '-1' } }) },
  { name: 'parts: max-parts x', call: ({ uploadId }) => ({ key: 'mp', query: { uploadId, 'max-parts': 'x' } }) },
  {
    name: 'parts: part-number-marker x',
    call: ({ uploadId }) => ({ key: 'mp', query: { uploadId, 'part-number-marker': 'x' } }),
  },
  {
    name: 'parts: part-number-marker -1',
    call: ({ uploadId }) => ({ key: 'mp', query: { uploadId, 'part-number-marker': '-1' } }),
  },
  {
    name: 'new upload with a storage class that is none',
    call: { method: 'POST', key: 'new', query: { uploads: '' }, headers: { 'x-amz-storage-class': 'PAPER' } },
  },
  {
    name: 'new upload with a checksum that nobody knows',
    call: { method: 'POST', key: 'new', query: { uploads: '' }, headers: { 'x-amz-checksum-algorithm': 'ADLER32' } },
  },
  {
    name: 'new upload with a checksum type that does not go with it',
    call: {
      method: 'POST',
      key: 'new',
      query: { uploads: '' },
      headers: { 'x-amz-checksum-algorithm': 'SHA256', 'x-amz-checksum-type': 'FULL_OBJECT' },
    },
  },
  {
    name: 'new upload with eleven tags',
    call: {
      method: 'POST',
      key: 'new',
      query: { uploads: '' },
      headers: { 'x-amz-tagging': Array.from({ length: 11 }, (_, index) => `k${index}=v`).join('&') },
    },
  },
  {
    name: 'new upload with metadata of 3 000 bytes',
    call: { method: 'POST', key: 'new', query: { uploads: '' }, headers: { 'x-amz-meta-long': 'v'.repeat(3000) } },
  },
];
