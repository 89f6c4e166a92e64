import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { suiteWithGateway, type Suite } from './support/suite.ts';
import type { S3Response } from './support/response.ts';

const configuration =
  '<CORSConfiguration><CORSRule><AllowedOrigin>https://app.example.org</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>' +
  '<AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>' +
  '<MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>';

function preflight({ s3 }: Suite, target: string, headers: Readonly<Record<string, string>>): Promise<S3Response> {
  return s3.sendRaw({ method: 'OPTIONS', target, headers });
}

const asked = {
  origin: 'https://app.example.org',
  'access-control-request-method': 'PUT',
  'access-control-request-headers': 'Content-Type, X-Amz-Meta-A',
};

describe('cross-origin requests', () => {
  const suite = suiteWithGateway(['web', 'plain']);

  it('are answered from the rules of the bucket, with no signature', async () => {
    const { s3 } = suite;
    assert.equal((await preflight(suite, '/web/k', asked)).outcome, '403 AccessForbidden');
    const set = await s3.send({ method: 'PUT', bucket: 'web', query: { cors: '' }, body: configuration });
    assert.equal(set.outcome, '200');
    // The replica that took the change knows it at once.
    const answer = await preflight(suite, '/web/k?X-Amz-Signature=abc&uploadId=u', asked);
    assert.equal(answer.status, 200);
    assert.deepEqual(
      ['origin', 'methods', 'headers', 'credentials'].map((name) => answer.headers[`access-control-allow-${name}`]),
      ['https://app.example.org', 'PUT, GET', 'content-type, x-amz-meta-a', 'true'],
    );
    assert.equal(answer.headers['access-control-max-age'], '60');
    assert.match(answer.headers['vary'] ?? '', /Origin/);
  });

  it('see what the rules let them see, also of errors', async () => {
    const { s3 } = suite;
    const { origin } = asked;
    const put = await s3.put('web', 'k', 'content', { origin });
    assert.equal(put.status, 200);
    assert.equal(put.headers['access-control-allow-origin'], origin);
    assert.equal(put.headers['access-control-expose-headers'], 'ETag');
    const get = await s3.get('web', 'k', { origin, range: 'bytes=0-2' });
    assert.deepEqual([get.status, get.text, get.headers['access-control-allow-origin']], [206, 'con', origin]);
    const missing = await s3.get('web', 'missing', { origin });
    assert.deepEqual([missing.status, missing.headers['access-control-allow-origin']], [404, origin]);
    const elsewhere = await s3.get('web', 'k', { origin: 'https://evil.example.org' });
    assert.deepEqual([elsewhere.status, elsewhere.headers['access-control-allow-origin']], [200, undefined]);
    const noRules = await s3.put('plain', 'k', 'content', { origin });
    assert.deepEqual([noRules.status, noRules.headers['access-control-allow-origin']], [200, undefined]);
  });

  it('are refused where no rule allows them', async () => {
    const { origin, ...noOrigin } = asked;
    const outcomes = [
      await preflight(suite, '/web/k', { ...asked, origin: 'https://evil.example.org' }),
      await preflight(suite, '/web/k', { ...asked, 'access-control-request-method': 'DELETE' }),
      await preflight(suite, '/plain/k', asked),
      await preflight(suite, '/nowhere/k', asked),
      await preflight(suite, '/web/k', noOrigin),
      await preflight(suite, '/web/k', { ...asked, origin: '' }),
      await preflight(suite, '/web/k', { ...asked, 'access-control-request-method': 'PATCH' }),
      await preflight(suite, '/web/k', { ...asked, 'access-control-request-method': 'put' }),
      await preflight(suite, '/web/k', { ...asked, 'access-control-request-headers': 'a,b c' }),
      await preflight(suite, '/web/k', { origin }),
      await preflight(suite, '/', asked),
    ].map((answer) => answer.outcome);
    assert.deepEqual(outcomes, [
      '403 AccessForbidden',
      '403 AccessForbidden',
      '403 AccessForbidden',
      '404 NoSuchBucket',
      '400 BadRequest',
      '400 BadRequest',
      '400 BadRequest',
      '400 BadRequest',
      '400 BadRequest',
      '400 BadRequest',
      '405 MethodNotAllowed',
    ]);
  });

  it('forget the rules of a bucket with the bucket', async () => {
    const { s3 } = suite;
    await s3.createBucket('again');
    await s3.send({ method: 'PUT', bucket: 'again', query: { cors: '' }, body: configuration });
    assert.equal((await preflight(suite, '/again/k', asked)).status, 200);
    await s3.send({ method: 'DELETE', bucket: 'again' });
    assert.equal((await preflight(suite, '/again/k', asked)).outcome, '404 NoSuchBucket');
    await s3.createBucket('again');
    assert.equal((await preflight(suite, '/again/k', asked)).outcome, '403 AccessForbidden');
  });

  it('end with the configuration', async () => {
    const { s3 } = suite;
    const read = await s3.send({ method: 'GET', bucket: 'web', query: { cors: '' } });
    assert.equal(read.text, configuration);
    const removed = await s3.send({ method: 'DELETE', bucket: 'web', query: { cors: '' } });
    assert.equal(removed.status, 204);
    assert.equal((await preflight(suite, '/web/k', asked)).outcome, '403 AccessForbidden');
    const none = await s3.send({ method: 'GET', bucket: 'web', query: { cors: '' } });
    assert.equal(none.outcome, '404 NoSuchCORSConfiguration');
  });
});
