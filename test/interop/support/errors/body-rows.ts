/** Bodies that are not what the request says, and headers of a write that S3 does not take. */
import { checksumOf, md5Of, sha256Hex } from '../../../e2e/support/checksums.ts';
import { encodeChunked } from '../../../e2e/support/aws-chunked.ts';
import type { ErrorRow } from './row.ts';
import type { Call, Sent } from './stage.ts';

const put: Call = { method: 'PUT', key: 'written', body: 'content' };
const putWith = (headers: Readonly<Record<string, string>>): Call => ({ ...put, headers });
const other = Buffer.from('other content');

const lengthOf =
  (value: string | undefined) =>
  (sent: Sent): Sent => {
    const { 'content-length': _length, ...headers } = sent.headers;
    return { ...sent, headers: value === undefined ? headers : { ...headers, 'content-length': value }, body: '' };
  };

function chunked(body: string, headers: Readonly<Record<string, string>>, kind = 'TRAILER'): Call {
  return {
    ...put,
    body,
    payloadHash: `STREAMING-UNSIGNED-PAYLOAD-${kind}`,
    headers: { 'content-encoding': 'aws-chunked', ...headers },
  };
}

const oneChunk = encodeChunked({ chunks: [Buffer.from('content')] }).toString('latin1');
const withTrailer = (value: string): string =>
  encodeChunked({ chunks: [Buffer.from('content')], trailer: { name: 'x-amz-checksum-crc32', value } }).toString(
    'latin1',
  );

/** What arrives is not what was announced. */
export const integrityRows: readonly ErrorRow[] = [
  { name: 'a wrong Content-MD5', call: putWith({ 'content-md5': md5Of(other) }) },
  { name: 'a Content-MD5 that is none', call: putWith({ 'content-md5': 'nonsense' }) },
  { name: 'an empty Content-MD5', call: putWith({ 'content-md5': '' }) },
  { name: 'a wrong x-amz-content-sha256', call: { ...put, payloadHash: sha256Hex('other') } },
  ...(['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const).flatMap((name): readonly ErrorRow[] => [
    { name: `a wrong ${name}`, call: putWith({ [`x-amz-checksum-${name}`]: checksumOf(name, other) }) },
    { name: `a ${name} that is none`, call: putWith({ [`x-amz-checksum-${name}`]: 'nonsense' }) },
  ]),
  {
    name: 'two checksums',
    call: putWith({
      'x-amz-checksum-crc32': checksumOf('crc32', Buffer.from('content')),
      'x-amz-checksum-sha1': checksumOf('sha1', Buffer.from('content')),
    }),
  },
  { name: 'a checksum that nobody knows', call: putWith({ 'x-amz-sdk-checksum-algorithm': 'ADLER32' }) },
  { name: 'no length', call: { ...put, tamper: lengthOf(undefined) } },
  { name: 'a length of 6 TiB', call: { method: 'PUT', key: 'written', tamper: lengthOf(String(6 * 1024 ** 4)) } },
  { name: 'a body that ends early', call: { ...put, tamper: lengthOf('100'), isCut: true } },
  { name: 'chunks without the length of the content', call: chunked(oneChunk, {}) },
  { name: 'a length of the content that is none', call: chunked(oneChunk, { 'x-amz-decoded-content-length': 'x' }) },
  { name: 'chunks of more than was announced', call: chunked(oneChunk, { 'x-amz-decoded-content-length': '3' }) },
  { name: 'chunks of less than was announced', call: chunked(oneChunk, { 'x-amz-decoded-content-length': '30' }) },
  {
    name: 'a chunk whose size is none',
    call: chunked('zz\r\ncontent\r\n0\r\n\r\n', { 'x-amz-decoded-content-length': '7' }),
  },
  { name: 'chunks that break off', call: chunked('7\r\ncont', { 'x-amz-decoded-content-length': '7' }) },
  {
    name: 'a wrong checksum in a trailer',
    call: chunked(withTrailer(checksumOf('crc32', other)), {
      'x-amz-decoded-content-length': '7',
      'x-amz-trailer': 'x-amz-checksum-crc32',
    }),
  },
  {
    name: 'a trailer that is missing',
    call: chunked(oneChunk, { 'x-amz-decoded-content-length': '7', 'x-amz-trailer': 'x-amz-checksum-crc32' }),
  },
  { name: 'a kind of streaming that is none', call: chunked(oneChunk, { 'x-amz-decoded-content-length': '7' }, 'X') },
];

const tags = (count: number): string => Array.from({ length: count }, (_, index) => `k${index}=v`).join('&');

/** What else a write says of its object. */
export const writeRows: readonly ErrorRow[] = [
  { name: 'metadata of 3 000 bytes', call: putWith({ 'x-amz-meta-long': 'v'.repeat(3000) }) },
  { name: 'metadata of 9 000 bytes', call: putWith({ 'x-amz-meta-long': 'v'.repeat(9000) }) },
  { name: 'a storage class that is none', call: putWith({ 'x-amz-storage-class': 'PAPER' }) },
  { name: 'eleven tags', call: putWith({ 'x-amz-tagging': tags(11) }) },
  { name: 'a tag twice', call: putWith({ 'x-amz-tagging': 'a=1&a=2' }) },
  { name: 'a tag of 129 characters', call: putWith({ 'x-amz-tagging': `${'k'.repeat(129)}=v` }) },
  { name: 'a tag value of 257 characters', call: putWith({ 'x-amz-tagging': `k=${'v'.repeat(257)}` }) },
  { name: 'a tag without a name', call: putWith({ 'x-amz-tagging': '=v' }) },
  { name: 'a tag with a character that S3 has not', call: putWith({ 'x-amz-tagging': 'a=%7B%7D' }) },
  { name: 'an acl that is none', call: putWith({ 'x-amz-acl': 'everybody' }) },
  { name: 'server-side encryption that is none', call: putWith({ 'x-amz-server-side-encryption': 'ROT13' }) },
  { name: 'If-None-Match: * where there is one', call: { ...put, key: 'k', headers: { 'if-none-match': '*' } } },
  { name: 'If-Match with another ETag', call: { ...put, key: 'k', headers: { 'if-match': '"other"' } } },
  { name: 'If-Match where there is none', call: { ...put, key: 'absent', headers: { 'if-match': '"other"' } } },
  {
    name: 'If-None-Match with the ETag',
    call: ({ etag }) => ({ ...put, key: 'k', headers: { 'if-none-match': etag } }),
  },
  {
    name: 'retention in a bucket without locks',
    call: putWith({
      'x-amz-object-lock-mode': 'GOVERNANCE',
      'x-amz-object-lock-retain-until-date': new Date(Date.now() + 3_600_000).toISOString(),
    }),
    needsVersions: true,
  },
  {
    name: 'a legal hold in a bucket without locks',
    call: putWith({ 'x-amz-object-lock-legal-hold': 'ON' }),
    needsVersions: true,
  },
];
