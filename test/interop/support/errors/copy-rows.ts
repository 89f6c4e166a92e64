/** CopyObject and UploadPartCopy. */
import type { ErrorRow } from './row.ts';
import type { Call, Stage } from './stage.ts';

type Headers = Readonly<Record<string, string>>;

const copy =
  (source: string | ((stage: Stage) => string), headers: Headers = {}, key = 'copied') =>
  (stage: Stage): Call => ({
    method: 'PUT',
    key,
    headers: { 'x-amz-copy-source': typeof source === 'string' ? source : source(stage), ...headers },
  });
const k = ({ bucket }: Stage): string => `/${bucket}/k`;
const earlier = new Date(Date.now() - 86_400_000).toUTCString();

/** CopyObject. */
export const copyRows: readonly ErrorRow[] = [
  { name: 'of an absent object', call: copy(({ bucket }) => `/${bucket}/absent`) },
  { name: 'of an absent bucket', call: copy('/there-is-no-such-bucket/k') },
  { name: 'to an absent bucket', call: (stage) => ({ ...copy(k)(stage), bucket: 'there-is-no-such-bucket' }) },
  { name: 'of a bucket', call: copy(({ bucket }) => bucket) },
  { name: 'of nothing', call: copy('') },
  { name: 'of a slash', call: copy('/') },
  { name: 'of a bucket without a name', call: copy('//k') },
  { name: 'onto itself', call: copy(k, {}, 'k') },
  { name: 'a metadata directive that is none', call: copy(k, { 'x-amz-metadata-directive': 'MERGE' }) },
  { name: 'a tagging directive that is none', call: copy(k, { 'x-amz-tagging-directive': 'MERGE' }) },
  { name: 'If-Match with another ETag', call: copy(k, { 'x-amz-copy-source-if-match': '"other"' }) },
  {
    name: 'If-None-Match with the ETag',
    call: (stage) => copy(k, { 'x-amz-copy-source-if-none-match': stage.etag })(stage),
  },
  {
    name: 'If-Modified-Since the time',
    call: (stage) => copy(k, { 'x-amz-copy-source-if-modified-since': stage.modified })(stage),
  },
  { name: 'If-Unmodified-Since before', call: copy(k, { 'x-amz-copy-source-if-unmodified-since': earlier }) },
  { name: 'a storage class that is none', call: copy(k, { 'x-amz-storage-class': 'PAPER' }) },
  {
    name: 'new metadata of 3 000 bytes',
    call: copy(k, { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-long': 'v'.repeat(3000) }),
  },
  {
    name: 'eleven new tags',
    call: copy(k, {
      'x-amz-tagging-directive': 'REPLACE',
      'x-amz-tagging': Array.from({ length: 11 }, (_, index) => `k${index}=v`).join('&'),
    }),
  },
  { name: 'a key of 1 025 bytes', call: copy(k, {}, `${'segment/'.repeat(128)}k`) },
];

const part =
  (source: string | ((stage: Stage) => string), headers: Headers = {}, query: Headers = {}) =>
  (stage: Stage): Call => ({
    ...copy(source, headers, 'mp')(stage),
    query: { partNumber: '3', uploadId: stage.uploadId, ...query },
  });

/** UploadPartCopy. */
export const partCopyRows: readonly ErrorRow[] = [
  { name: 'of an absent object', call: part(({ bucket }) => `/${bucket}/absent`) },
  { name: 'of an absent bucket', call: part('/there-is-no-such-bucket/k') },
  { name: 'into no upload', call: part(k, {}, { uploadId: 'nonsense' }) },
  { name: 'part 0', call: part(k, {}, { partNumber: '0' }) },
  { name: 'part 10 001', call: part(k, {}, { partNumber: '10001' }) },
  { name: 'a range behind the end', call: part(k, { 'x-amz-copy-source-range': 'bytes=10-20' }) },
  { name: 'a range over the end', call: part(k, { 'x-amz-copy-source-range': 'bytes=5-20' }) },
  { name: 'a range without an end', call: part(k, { 'x-amz-copy-source-range': 'bytes=5-' }) },
  { name: 'a range that ends before it begins', call: part(k, { 'x-amz-copy-source-range': 'bytes=5-2' }) },
  { name: 'a range of letters', call: part(k, { 'x-amz-copy-source-range': 'bytes=a-b' }) },
  { name: 'If-Match with another ETag', call: part(k, { 'x-amz-copy-source-if-match': '"other"' }) },
  {
    name: 'If-None-Match with the ETag',
    call: (stage) => part(k, { 'x-amz-copy-source-if-none-match': stage.etag })(stage),
  },
  { name: 'If-Unmodified-Since before', call: part(k, { 'x-amz-copy-source-if-unmodified-since': earlier }) },
];
