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
  },
  versitygw: {
    'copies a key that ends like the name of a version':
      'versitygw decodes a copy source before it looks for a version',
    'copies the version "null" of an object without versions': 'versitygw refuses versions in buckets without them',
    'holds the source against dates': 'versitygw compares with the fractions of a second that it does not show',
    'holds the destination against its conditions': 'versitygw ignores If-Match and If-None-Match of a CopyObject',
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
