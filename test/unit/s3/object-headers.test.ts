import assert from 'node:assert/strict';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import {
  checkStoredMetadataSize,
  copiedObjectHeaders,
  maxMetadataBytes,
  maxUserMetadataBytes,
  requestBucketHeaders,
  requestDeleteHeaders,
  requestObjectHeaders,
  responseObjectHeaders,
} from '../../../src/s3/object-headers.ts';

const kept = {
  'cache-control': 'no-store',
  'content-disposition': 'attachment',
  'content-encoding': 'gzip',
  'content-language': 'de',
  'content-type': 'text/plain',
  expires: 'Thu, 01 Jan 2026 00:00:00 GMT',
  'x-amz-storage-class': 'STANDARD_IA',
  'x-amz-website-redirect-location': '/x',
  'x-amz-object-lock-mode': 'GOVERNANCE',
  'x-amz-object-lock-retain-until-date': '2027-01-01T00:00:00Z',
  'x-amz-object-lock-legal-hold': 'ON',
  'x-amz-meta-colour': 'blue',
  'x-amz-meta-__proto__': 'p',
  'x-amz-server-side-encryption': 'aws:kms',
  'x-amz-server-side-encryption-aws-kms-key-id': 'k',
  'x-amz-server-side-encryption-bucket-key-enabled': 'true',
};

describe('requestObjectHeaders', () => {
  const requestOnly = {
    'x-amz-tagging': 'a=b',
    'x-amz-acl': 'private',
    'x-amz-grant-read': 'id="x"',
    'x-amz-server-side-encryption-context': 'e30=',
    'x-amz-expected-bucket-owner': '1',
    'x-amz-request-payer': 'requester',
  };

  it('keeps what belongs to the object and nothing else', () => {
    const dropped = {
      authorization: 'x',
      connection: 'close',
      'content-length': '5',
      'content-md5': 'x',
      expect: '100-continue',
      host: 'h',
      'if-match': 'x',
      'keep-alive': '5',
      'transfer-encoding': 'chunked',
      upgrade: 'h2c',
      'x-amz-checksum-crc32': 'x',
      'x-amz-content-sha256': 'x',
      'x-amz-copy-source': 'x',
      'x-amz-date': 'x',
      'x-amz-decoded-content-length': '5',
      'x-amz-security-token': 'x',
      'x-amz-trailer': 'x',
      'x-amz-grant-everything': 'x',
      'x-amz-object-lock-modes': 'x',
      'x-forwarded-for': 'x',
      'x-new-thing': 'x',
    };
    assert.deepEqual(requestObjectHeaders({ ...kept, ...requestOnly, ...dropped, range: undefined }), {
      ...kept,
      ...requestOnly,
    });
  });

  it('takes an empty Content-Type for none, as backends do', () => {
    for (const empty of ['', ' ']) assert.deepEqual(requestObjectHeaders({ 'content-type': empty }), {});
  });

  const encodings: [string, string | undefined][] = [
    ['aws-chunked', undefined],
    ['AWS-Chunked', undefined],
    ['aws-chunked,gzip', 'gzip'],
    ['gzip, aws-chunked', 'gzip'],
    ['gzip,br', 'gzip, br'],
    ['', undefined],
  ];
  for (const [given, left] of encodings) {
    it(`makes '${given}' to ${left}`, () => {
      assert.equal(requestObjectHeaders({ 'content-encoding': given })['content-encoding'], left);
    });
  }
});

describe('headers that are refused', () => {
  for (const name of ['x-amz-meta-s3eg', 'x-amz-meta-s3eg-key']) {
    it(`refuses ${name}`, () =>
      assert.throws(() => requestObjectHeaders({ [name]: 'x' }), { code: 'InvalidArgument', status: 400 }));
  }

  it('refuses keys of the client (SSE-C)', () => {
    assert.throws(() => requestObjectHeaders({ 'x-amz-server-side-encryption-customer-key': 'x' }), {
      code: 'NotImplemented',
    });
  });

  for (const value of ['a\nb', 'a\r\nb: c', '\0', '\u007f', 'ключ', '\ud800']) {
    it(`refuses the value ${JSON.stringify(value)}`, () => {
      assert.throws(() => requestObjectHeaders({ 'x-amz-meta-a': value }), { code: 'InvalidArgument' });
      assert.throws(() => requestObjectHeaders({ 'content-type': value }), { code: 'InvalidArgument' });
      assert.throws(() => requestObjectHeaders({ 'content-encoding': `x${value}y` }), { code: 'InvalidArgument' });
      assert.throws(() => requestDeleteHeaders({ 'x-amz-mfa': value }), { code: 'InvalidArgument' });
    });
  }

  it('lets only through what an HTTP client sends', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (value) => {
        let headers;
        try {
          headers = requestObjectHeaders({ 'x-amz-meta-a': value, 'cache-control': value });
        } catch {
          return;
        }
        for (const [name, sent] of Object.entries(headers)) {
          validateHeaderName(name);
          validateHeaderValue(name, sent);
        }
        assert.equal(headers['x-amz-meta-a'], value);
      }),
    );
  });

  it('keeps raw bytes of metadata as they came, there and back', () => {
    const bytes = Buffer.from('Grüße 🗝').toString('latin1');
    const stored = requestObjectHeaders({ 'x-amz-meta-name': bytes });
    assert.equal(responseObjectHeaders(stored)['x-amz-meta-name'], bytes);
  });

  it('bounds user metadata', () => {
    const fits = { 'x-amz-meta-ab': 'v'.repeat(maxUserMetadataBytes - 5), 'x-amz-meta-xy': 'z' };
    assert.deepEqual(requestObjectHeaders(fits), fits);
    assert.throws(() => requestObjectHeaders({ ...fits, 'x-amz-meta-xy': 'zz' }), {
      code: 'MetadataTooLarge',
      status: 400,
    });
  });
});

describe('metadata and envelope together', () => {
  const envelope = { 'x-amz-meta-s3eg': 'e'.repeat(600), 'x-amz-meta-s3eg-key': 'local:1' };
  const envelopeBytes = 's3eg'.length + 600 + 's3eg-key'.length + 'local:1'.length;

  it('have S3’s 2 KiB', () => {
    const left = maxMetadataBytes - envelopeBytes;
    checkStoredMetadataSize({ ...envelope, 'x-amz-meta-a': 'v'.repeat(left - 1), 'content-type': 'not counted' });
    assert.throws(() => checkStoredMetadataSize({ ...envelope, 'x-amz-meta-a': 'v'.repeat(left) }), {
      code: 'MetadataTooLarge',
      details: { Size: String(left + 1), MaxSizeAllowed: String(left) },
    });
  });

  it('leave all of it to the client where nothing is encrypted', () => {
    const fits = { 'x-amz-meta-a': 'v'.repeat(maxMetadataBytes - 1) };
    assert.deepEqual(requestObjectHeaders(fits, maxMetadataBytes), fits);
    const over = { 'x-amz-meta-a': 'v'.repeat(maxMetadataBytes) };
    assert.throws(() => requestObjectHeaders(over, maxMetadataBytes), { code: 'MetadataTooLarge' });
  });
});

describe('copiedObjectHeaders', () => {
  const source = {
    'content-type': 'text/source',
    'cache-control': 'no-store',
    'x-amz-meta-a': 'source',
    'x-amz-meta-s3eg': 'envelope',
    'x-amz-storage-class': 'GLACIER',
    'x-amz-website-redirect-location': '/source',
    'x-amz-tagging-count': '1',
    etag: '"e"',
    'content-length': '5',
  };
  const requested = {
    'content-type': 'text/request',
    'x-amz-meta-b': 'request',
    'x-amz-storage-class': 'STANDARD_IA',
    'x-amz-object-lock-legal-hold': 'ON',
    'x-amz-tagging': 'a=1',
    'x-amz-copy-source': 'b/k',
    'x-amz-metadata-directive': 'COPY',
  };
  const always = { 'x-amz-storage-class': 'STANDARD_IA', 'x-amz-object-lock-legal-hold': 'ON' };
  const base = { requested, source, maxUserBytes: maxUserMetadataBytes };

  it('follow the two directives', () => {
    const described = { 'content-type': 'text/source', 'cache-control': 'no-store', 'x-amz-meta-a': 'source' };
    assert.deepEqual(copiedObjectHeaders({ ...base, metadata: 'COPY', tags: 'COPY' }), { ...described, ...always });
    assert.deepEqual(copiedObjectHeaders({ ...base, metadata: 'REPLACE', tags: 'REPLACE' }), {
      'content-type': 'text/request',
      'x-amz-meta-b': 'request',
      ...always,
      'x-amz-tagging': 'a=1',
    });
  });

  it('bound the metadata of the source as that of a request', () => {
    const long = { ...base, source: { 'x-amz-meta-a': 'v'.repeat(maxUserMetadataBytes) } };
    assert.throws(() => copiedObjectHeaders({ ...long, metadata: 'COPY', tags: 'COPY' }), { code: 'MetadataTooLarge' });
    copiedObjectHeaders({ ...long, metadata: 'REPLACE', tags: 'COPY' });
  });
});

describe('responseObjectHeaders', () => {
  it('shows the object and hides the backend', () => {
    const shown = {
      ...kept,
      'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
      'x-amz-version-id': 'v',
      'x-amz-delete-marker': 'true',
      'x-amz-expiration': 'e',
      'x-amz-restore': 'r',
      'x-amz-replication-status': 'COMPLETED',
      'x-amz-tagging-count': '2',
      'x-amz-missing-meta': '1',
    };
    const hidden = {
      server: 'MinIO',
      date: 'x',
      connection: 'x',
      etag: '"x"',
      'content-length': '5',
      'content-range': 'x',
      'accept-ranges': 'bytes',
      'set-cookie': 'x',
      'x-amz-id-2': 'x',
      'x-amz-request-id': 'x',
      'x-amz-bucket-region': 'x',
      'x-amz-checksum-crc32': 'x',
      'x-amz-checksum-type': 'x',
      'x-amz-mp-parts-count': '3',
      'x-amz-meta-s3eg': 'x',
      'x-amz-meta-s3eg-key': 'x',
      'x-minio-deployment-id': 'x',
      'x-ratelimit-limit': 'x',
    };
    assert.deepEqual(responseObjectHeaders({ ...shown, ...hidden }), shown);
  });
});

describe('headers of other operations', () => {
  it('are few', () => {
    const headers = {
      'x-amz-acl': 'private',
      'x-amz-mfa': '1 2',
      'x-amz-bypass-governance-retention': 'true',
      'x-amz-bucket-object-lock-enabled': 'true',
      'content-type': 'x',
    };
    assert.deepEqual(requestDeleteHeaders(headers), {
      'x-amz-mfa': '1 2',
      'x-amz-bypass-governance-retention': 'true',
    });
    assert.deepEqual(requestBucketHeaders(headers), {
      'x-amz-acl': 'private',
      'x-amz-bucket-object-lock-enabled': 'true',
    });
  });
});
