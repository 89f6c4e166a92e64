/** Buckets and keys that are not there, or cannot be. */
import { md5Of } from '../../../e2e/support/checksums.ts';
import type { ErrorRow } from './row.ts';

const deletion = '<Delete><Object><Key>k</Key></Object></Delete>';
const absent = 'there-is-no-such-bucket';
const malformed = ['ab', 'UPPER', 'under_score', '-hyphen', 'a..b', '192.168.1.1', 'n'.repeat(64)];

const keyTooLong = `${'segment/'.repeat(128)}k`;

/** What a bucket's name and absence answer. */
export const bucketRows: readonly ErrorRow[] = [
  ...malformed.map((bucket) => ({ name: `the name ${bucket.slice(0, 20)}, create`, call: { method: 'PUT', bucket } })),
  ...malformed.map((bucket) => ({ name: `the name ${bucket.slice(0, 20)}, list`, call: { bucket } })),
  { name: 'the name ab, PUT of an object', call: { method: 'PUT', bucket: 'ab', key: 'k', body: 'x' } },
  { name: 'absent: list', call: { bucket: absent } },
  { name: 'absent: list, version 2', call: { bucket: absent, query: { 'list-type': '2' } } },
  { name: 'absent: versions', call: { bucket: absent, query: { versions: '' } } },
  { name: 'absent: uploads', call: { bucket: absent, query: { uploads: '' } } },
  { name: 'absent: HEAD', call: { method: 'HEAD', bucket: absent } },
  { name: 'absent: delete', call: { method: 'DELETE', bucket: absent } },
  { name: 'absent: location', call: { bucket: absent, query: { location: '' } } },
  { name: 'absent: versioning', call: { bucket: absent, query: { versioning: '' } } },
  { name: 'absent: GET of an object', call: { bucket: absent, key: 'k' } },
  { name: 'absent: HEAD of an object', call: { method: 'HEAD', bucket: absent, key: 'k' } },
  { name: 'absent: PUT of an object', call: { method: 'PUT', bucket: absent, key: 'k', body: 'x' } },
  { name: 'absent: DELETE of an object', call: { method: 'DELETE', bucket: absent, key: 'k' } },
  { name: 'absent: new upload', call: { method: 'POST', bucket: absent, key: 'k', query: { uploads: '' } } },
  { name: 'absent: tags of an object', call: { bucket: absent, key: 'k', query: { tagging: '' } } },
  {
    name: 'absent: delete objects',
    call: {
      method: 'POST',
      bucket: absent,
      query: { delete: '' },
      headers: { 'content-md5': md5Of(Buffer.from(deletion)) },
      body: deletion,
    },
  },
  { name: 'is there already', call: ({ bucket }) => ({ method: 'PUT', bucket }) },
  { name: 'is not empty', call: ({ bucket }) => ({ method: 'DELETE', bucket }) },
  { name: 'created with a document that is no XML', call: { method: 'PUT', bucket: 'new-one', body: 'not XML' } },
  { name: 'created with another document', call: { method: 'PUT', bucket: 'new-one', body: '<Other/>' } },
];

/** What keys answer. */
export const keyRows: readonly ErrorRow[] = [
  { name: 'absent: GET', call: { key: 'absent' } },
  { name: 'absent: HEAD', call: { method: 'HEAD', key: 'absent' } },
  { name: 'absent: GET of a range', call: { key: 'absent', headers: { range: 'bytes=0-1' } } },
  { name: 'absent: GET with If-Match', call: { key: 'absent', headers: { 'if-match': '"x"' } } },
  { name: 'absent: DELETE', call: { method: 'DELETE', key: 'absent' } },
  { name: 'absent: tags', call: { key: 'absent', query: { tagging: '' } } },
  {
    name: 'absent: attributes',
    call: { key: 'absent', query: { attributes: '' }, headers: { 'x-amz-object-attributes': 'ETag' } },
  },
  { name: 'absent: acl', call: { key: 'absent', query: { acl: '' } } },
  { name: 'a key like a folder of others', call: { key: 'mp/' } },
  { name: 'of 1 025 bytes: PUT', call: { method: 'PUT', key: keyTooLong, body: 'x' } },
  { name: 'of 1 025 bytes: GET', call: { key: keyTooLong } },
  { name: 'of 1 025 bytes: HEAD', call: { method: 'HEAD', key: keyTooLong } },
  { name: 'of 1 025 bytes: DELETE', call: { method: 'DELETE', key: keyTooLong } },
  { name: 'of 1 025 bytes: new upload', call: { method: 'POST', key: keyTooLong, query: { uploads: '' } } },
];

const someVersion = '3f8c0d5e-6c0c-4d5c-8a37-0f3f2c0b1a2d';

const versions: readonly ErrorRow[] = [
  {
    name: 'absent: GET',
    call: ({ versioned }) => ({ bucket: versioned, key: 'k', query: { versionId: someVersion } }),
  },
  {
    name: 'absent: HEAD',
    call: ({ versioned }) => ({ method: 'HEAD', bucket: versioned, key: 'k', query: { versionId: someVersion } }),
  },
  {
    name: 'absent: tags',
    call: ({ versioned }) => ({ bucket: versioned, key: 'k', query: { tagging: '', versionId: someVersion } }),
  },
  {
    name: 'absent: source of a copy',
    call: ({ bucket, versioned }) => ({
      method: 'PUT',
      bucket,
      key: 'copy',
      headers: { 'x-amz-copy-source': `${versioned}/k?versionId=${someVersion}` },
    }),
  },
  { name: 'no id: GET', call: ({ versioned }) => ({ bucket: versioned, key: 'k', query: { versionId: 'no id' } }) },
  { name: 'an empty id: GET', call: ({ versioned }) => ({ bucket: versioned, key: 'k', query: { versionId: '' } }) },
  { name: 'under a delete marker: GET', call: ({ versioned }) => ({ bucket: versioned, key: 'k' }) },
  { name: 'under a delete marker: HEAD', call: ({ versioned }) => ({ method: 'HEAD', bucket: versioned, key: 'k' }) },
  {
    name: 'a delete marker: GET',
    call: ({ versioned, markerId }) => ({ bucket: versioned, key: 'k', query: { versionId: markerId } }),
  },
  {
    name: 'a delete marker: HEAD',
    call: ({ versioned, markerId }) => ({
      method: 'HEAD',
      bucket: versioned,
      key: 'k',
      query: { versionId: markerId },
    }),
  },
  {
    name: 'a delete marker: source of a copy',
    call: ({ bucket, versioned, markerId }) => ({
      method: 'PUT',
      bucket,
      key: 'copy',
      headers: { 'x-amz-copy-source': `${versioned}/k?versionId=${markerId}` },
    }),
  },
  { name: 'a bucket that holds a marker: DELETE', call: ({ versioned }) => ({ method: 'DELETE', bucket: versioned }) },
  {
    name: 'marker without its key',
    call: ({ versioned }) => ({ bucket: versioned, query: { versions: '', 'version-id-marker': someVersion } }),
  },
];

/** Versions: in front of a backend that has them. */
export const versionRows: readonly ErrorRow[] = versions.map((row) => ({ ...row, needsVersions: true }));
