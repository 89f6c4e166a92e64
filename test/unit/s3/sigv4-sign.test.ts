import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { signRequest } from '../../../src/s3/sigv4-sign.ts';
import { uriEncode } from '../../../src/s3/uri-encoding.ts';
import { emptyHash, exampleCredentials, exampleTime, smithySigner } from './sigv4-support.ts';

const common = { credentials: exampleCredentials, region: 'us-east-1', now: exampleTime };

function signatureIn(headers: Record<string, string>): string | undefined {
  return /Signature=([0-9a-f]{64})$/.exec(headers['authorization'] ?? '')?.[1];
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
describe('signRequest: the examples that AWS publishes', () => {
  const host = 'examplebucket.s3.amazonaws.com';

  it('GET Object', () => {
    const headers = signRequest({
      ...common,
      method: 'GET',
      rawPath: '/test.txt',
      query: '',
      headers: { host, range: 'bytes=0-9' },
      payloadHash: emptyHash,
    });
    assert.equal(
      headers['authorization'],
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
    assert.equal(headers['x-amz-date'], '20130524T000000Z');
    assert.equal(headers['x-amz-content-sha256'], emptyHash);
    assert.equal(headers['range'], 'bytes=0-9');
  });

  it('PUT Object', () => {
    const headers = signRequest({
      ...common,
      method: 'PUT',
      rawPath: '/test%24file.text',
      query: '',
      headers: { host, date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
      payloadHash: createHash('sha256').update('Welcome to Amazon S3.').digest('hex'),
    });
    assert.equal(signatureIn(headers), '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd');
  });

  const queries = [
    { query: 'lifecycle', signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543' },
    { query: 'max-keys=2&prefix=J', signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7' },
  ];
  for (const { query, signature } of queries) {
    it(`GET Bucket ?${query}`, () => {
      const headers = signRequest({
        ...common,
        method: 'GET',
        rawPath: '/',
        query,
        headers: { host },
        payloadHash: emptyHash,
      });
      assert.equal(signatureIn(headers), signature);
    });
  }
});

describe('signRequest', () => {
  it('signs the session token and no header that the way may change', () => {
    const headers = signRequest({
      ...common,
      method: 'PUT',
      rawPath: '/b/k',
      query: '',
      headers: { host: 'h', 'user-agent': 'x', expect: '100-continue', 'content-length': '3', traceparent: '00-1' },
      payloadHash: 'UNSIGNED-PAYLOAD',
      credentials: { ...exampleCredentials, sessionToken: 'token' },
    });
    assert.equal(headers['x-amz-security-token'], 'token');
    assert.match(
      headers['authorization'] ?? '',
      / SignedHeaders=content-length;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, /,
    );
  });

  it('gives the signature of the AWS SDK for any path, query, headers, region and time', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    // ASCII only: the oracle hashes a header as UTF-8, a socket carries Latin-1.
    const value = fc.string({
      unit: fc.constantFrom('a', 'b', ' ', '\t', '=', '/', '+', '~', '*', '!'),
      maxLength: 10,
    });
    const request = fc.record({
      method: fc.constantFrom('GET', 'PUT', 'HEAD', 'POST', 'DELETE'),
      key: text,
      // The oracle keeps the query in an object, in which `__proto__` is no name of its own.
      query: fc.dictionary(
        text.filter((name) => name !== '__proto__'),
        text,
        { maxKeys: 5 },
      ),
      headers: fc.dictionary(fc.constantFrom('x-amz-meta-a', 'x-amz-meta-b', 'content-type', 'range'), value),
      region: fc.constantFrom('us-east-1', 'eu-central-1', 'auto'),
      now: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    });
    await fc.assert(
      fc.asyncProperty(request, async ({ method, key, query, headers, region, now }) => {
        const rawPath = `/${uriEncode(key, false)}`;
        const rawQuery = Object.entries(query)
          .map(([name, value]) => `${uriEncode(name, true)}=${uriEncode(value, true)}`)
          .join('&');
        const ours = signRequest({
          method,
          rawPath,
          query: rawQuery,
          headers: { host: 'backend:9000', ...headers },
          payloadHash: emptyHash,
          credentials: exampleCredentials,
          region,
          now,
        });
        const { authorization, ...toSign } = ours;
        const theirs = await smithySigner(region).sign(
          { method, protocol: 'http:', hostname: 'backend', path: rawPath, query, headers: toSign },
          { signingDate: new Date(now) },
        );
        assert.equal(authorization, theirs.headers['authorization']);
      }),
      { numRuns: 40 },
    );
  });
});
