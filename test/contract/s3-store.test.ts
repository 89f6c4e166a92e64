import { describe, test } from 'node:test';
import { S3Store } from '../../src/store/s3/s3-store.ts';
import { objectStoreContract } from './object-store.ts';

/*
 * Runs the contract against a real S3 server, which the caller starts and names by the environment:
 * S3EG_CONTRACT_ENDPOINT, S3EG_CONTRACT_ACCESS_KEY, S3EG_CONTRACT_SECRET_KEY, S3EG_CONTRACT_REGION (us-east-1) and
 * S3EG_CONTRACT_SERVER (minio, versitygw), which chooses what this server is known not to do.
 */
const endpoint = process.env['S3EG_CONTRACT_ENDPOINT'];
const server = process.env['S3EG_CONTRACT_SERVER'] ?? 'unknown server';

/** Contract tests that a server cannot pass, with the reason. */
const knownDifferences: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  minio: {
    'copies Expires': 'MinIO leaves Expires behind when metadata is copied',
    'lets ETags of a source win over dates': 'MinIO wants both to hold',
    'holds the destination against its conditions': 'MinIO ignores If-Match and If-None-Match of a CopyObject',
    'deletes a bucket with open uploads': 'MinIO keeps the uploads of a bucket that is deleted and made again',
    'keeps keys with dot segments': 'MinIO refuses keys with "." and ".." segments',
    'keeps keys with empty segments': 'MinIO refuses keys with empty segments',
    'keeps an object and others below its name':
      'MinIO does not list what is below a key when the key with "/" is one too',
    'keeps keys of 1024 bytes in one segment': 'MinIO refuses segments of more than 255 bytes',
    'evaluates conditions of reads': 'MinIO looks at If-Modified-Since though there is an If-None-Match',
    'deletes only with If-Match': 'MinIO deletes whatever If-Match says',
    'pages in every size, in both versions, with and without a delimiter':
      'MinIO calls an exact last page of common prefixes truncated',
    'agrees with a naive listing on random plain keys':
      'MinIO refuses prefixes with empty segments, and repeats pages for ever with a delimiter of several characters',
    'agrees with a naive listing on random keys of any form': 'MinIO refuses keys with empty segments',
    'refuses part numbers outside of 1 to 10000': 'MinIO calls such parts of Complete missing',
    'lets a reader finish a joined object while it is replaced': 'MinIO makes the writer wait for the reader',
    'pages through uploads with prefix and delimiter': 'MinIO lists the uploads of one exact key only',
    'has no sub-resources of a bucket that is not there': 'MinIO says NoSuchTagSet for a bucket that is not there',
  },
  versitygw: {
    'copies a key that ends like the name of a version':
      'versitygw decodes a copy source before it looks for a version',
    'copies the version "null" of an object without versions': 'versitygw refuses versions in buckets without them',
    'holds the source against dates': 'versitygw compares with the fractions of a second that it does not show',
    'holds the destination against its conditions': 'versitygw ignores If-Match and If-None-Match of a CopyObject',
    'takes version "null" for the object of a bucket without versions': 'versitygw knows versions with versioning only',
    'answers NoSuchVersion for versions that do not exist': 'versitygw knows ids of its own form only',
    'keeps keys with control characters': 'versitygw lists U+0001 as U+FFFD, as it does not encode keys',
    'keeps keys with dot segments': 'versitygw keeps keys as paths: it refuses "." and ".." segments',
    'keeps keys with empty segments': 'versitygw keeps keys as paths: "a//b" is "a/b"',
    'keeps an object and others below its name': 'versitygw keeps keys as paths: a folder has no content',
    'keeps keys of 1024 bytes in one segment': 'versitygw keeps keys as paths: a name has at most 255 bytes',
    'evaluates conditions of reads': 'versitygw compares If-Modified-Since with a time finer than seconds',
    'refuses a continuation token that it did not give': 'versitygw takes any key as a continuation token',
    'agrees with a naive listing on random keys of any form': 'versitygw keeps keys as paths, and does not encode them',
    'refuses parts that are missing, out of order, with another ETag or too small':
      'versitygw looks at the sizes of parts before their order',
    'pages through uploads with prefix and delimiter': 'versitygw refuses the upload-id-marker that it gave',
    'lists versions page by page': 'versitygw without versioning begins a page of versions with the marker',
  },
};

if (endpoint === undefined) {
  describe('object store contract: s3', () => {
    test('runs against a real server', { skip: 'S3EG_CONTRACT_ENDPOINT is not set' }, () => {});
  });
} else {
  objectStoreContract(
    `s3 (${server})`,
    async () => {
      const store = new S3Store({
        endpoint,
        region: process.env['S3EG_CONTRACT_REGION'] ?? 'us-east-1',
        pathStyle: true,
        credentials: {
          accessKeyId: process.env['S3EG_CONTRACT_ACCESS_KEY'] ?? '',
          secretAccessKey: process.env['S3EG_CONTRACT_SECRET_KEY'] ?? '',
        },
        maxConnections: 16,
        connectTimeoutMs: 5000,
        headersTimeoutMs: 60_000,
        bodyTimeoutMs: 60_000,
        retries: 2,
      });
      return { store, close: async () => await store.close() };
    },
    { skip: knownDifferences[server] ?? {} },
  );
}
