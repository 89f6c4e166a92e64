import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { targetOf, type S3Request } from './support/client.ts';
import type { S3Response } from './support/response.ts';
import { signHeaders, signatureIn } from './support/signing.ts';
import { suiteWithGateway } from './support/suite.ts';
import { textOf } from './support/xml.ts';

const minuteMs = 60_000;

function minutesFromNow(minutes: number): Date {
  return new Date(Date.now() + minutes * minuteMs);
}

describe('presigned URLs', () => {
  const suite = suiteWithGateway(['bucket', 'source']);
  before(async () => {
    await suite.s3.put('source', 'secret', 'the source');
    await suite.s3.put('bucket', 'victim', 'as it was');
  });

  const assertUntouched = async (name: string): Promise<void> => {
    const got = await suite.s3.get('bucket', 'victim');
    assert.deepEqual([got.outcome, got.text], ['200', 'as it was'], name);
    assert.deepEqual(
      Object.keys(got.headers).filter((header) => header.startsWith('x-amz-meta-')),
      [],
      name,
    );
  };

  const put = async (target: string, headers: Readonly<Record<string, string>> = {}): Promise<S3Response> =>
    suite.s3.sendRaw({ method: 'PUT', target, headers: { 'content-length': '4', ...headers }, body: 'body' });

  it('work for every method', async () => {
    const { s3 } = suite;
    const url = async (request: S3Request): Promise<string> => s3.presign(request);
    assert.equal((await put(await url({ method: 'PUT', bucket: 'bucket', key: 'signed 🎉' }))).outcome, '200');
    const target = await url({ method: 'GET', bucket: 'bucket', key: 'signed 🎉' });
    assert.equal((await s3.sendRaw({ method: 'GET', target })).text, 'body');
    const head = await url({ method: 'HEAD', bucket: 'bucket', key: 'signed 🎉' });
    assert.equal((await s3.sendRaw({ method: 'HEAD', target: head })).headers['content-length'], '4');
    const list = await url({ method: 'GET', bucket: 'bucket', query: { 'list-type': '2', prefix: 'signed' } });
    assert.match((await s3.sendRaw({ method: 'GET', target: list })).text, /<Key>signed 🎉<\/Key>/);
    const remove = await url({ method: 'DELETE', bucket: 'bucket', key: 'signed 🎉' });
    assert.equal((await s3.sendRaw({ method: 'DELETE', target: remove })).status, 204);
  });

  it('do not let a header be added that would make another request of them', async () => {
    const { s3 } = suite;
    const target = await s3.presign({ method: 'PUT', bucket: 'bucket', key: 'victim' });
    for (const [name, value] of [
      ['x-amz-copy-source', '/source/secret'],
      ['x-amz-copy-source-range', 'bytes=0-1'],
      ['x-amz-metadata-directive', 'REPLACE'],
      ['x-amz-meta-added', 'value'],
      ['x-amz-meta-s3eg', 'forged'],
      ['x-amz-acl', 'public-read'],
      ['x-amz-grant-read', 'uri="everyone"'],
      ['x-amz-tagging', 'a=b'],
      ['x-amz-storage-class', 'STANDARD'],
      ['x-amz-website-redirect-location', 'https://evil.example.org/'],
      ['x-amz-object-lock-mode', 'COMPLIANCE'],
      ['x-amz-server-side-encryption', 'AES256'],
      ['x-amz-content-sha256', 'UNSIGNED-PAYLOAD'],
      ['x-amz-decoded-content-length', '4'],
      ['x-amz-anything-new', 'value'],
      ['X-AMZ-Copy-Source', '/source/secret'],
    ] as const) {
      const refused = await put(target, { [name]: value });
      assert.equal(refused.outcome, '403 AccessDenied', name);
      assert.equal(textOf(refused.xml, 'HeadersNotSigned'), name.toLowerCase());
      await assertUntouched(name);
    }
    // Headers that S3 leaves to the client may be added.
    assert.equal((await put(target, { 'content-type': 'text/plain' })).outcome, '200');
    await s3.put('bucket', 'victim', 'as it was');
  });

  it('hold the headers that were signed to their values', async () => {
    const { s3 } = suite;
    const headers = { 'x-amz-meta-mine': 'value', 'content-type': 'text/plain' };
    const target = await s3.presign({ method: 'PUT', bucket: 'bucket', key: 'with-headers', headers });
    for (const wrong of [
      {},
      { 'content-type': 'text/plain' },
      { ...headers, 'x-amz-meta-mine': 'other' },
      { ...headers, 'content-type': 'text/html' },
    ]) {
      assert.equal((await put(target, wrong)).outcome, '403 SignatureDoesNotMatch', JSON.stringify(wrong));
    }
    assert.equal((await put(target, headers)).outcome, '200');
    assert.equal((await s3.head('bucket', 'with-headers')).headers['x-amz-meta-mine'], 'value');
  });

  it('are of one method, path and query', async () => {
    const { s3 } = suite;
    const get = await s3.presign({ method: 'GET', bucket: 'bucket', key: 'victim' });
    const rows: readonly (readonly [method: string, target: string])[] = [
      ['PUT', get],
      ['DELETE', get],
      ['GET', get.replace('/victim', '/other')],
      ['GET', get.replace('/bucket/', '/source/')],
      ['GET', `${get}&versionId=null`],
      ['GET', `${get}&response-content-type=text/html`],
      ['GET', get.replace('X-Amz-Expires=3600', 'X-Amz-Expires=604800')],
      ['GET', get.replace('E2EROOT', 'E2ERooT')],
      ['GET', get.slice(0, -1)],
    ];
    for (const [method, target] of rows) {
      const answer = await s3.sendRaw({ method, target });
      const expected = target.includes('E2ERooT') ? '403 InvalidAccessKeyId' : '403 SignatureDoesNotMatch';
      assert.equal(answer.outcome, expected, `${method} ${target}`);
      await assertUntouched(target);
    }
    assert.equal((await s3.sendRaw({ method: 'GET', target: get })).text, 'as it was');
  });

  it('end with their time, and not before', async () => {
    const { s3 } = suite;
    const outcomeOf = async (minutes: number, expiresSeconds: number): Promise<string> => {
      const at = minutesFromNow(minutes);
      const target = await s3.presign({ method: 'GET', bucket: 'bucket', key: 'victim', at, expiresSeconds });
      return (await s3.sendRaw({ method: 'GET', target })).outcome;
    };
    assert.equal(await outcomeOf(-10, 3600), '200', 'an hour, used after ten minutes');
    assert.equal(await outcomeOf(-55, 3600), '200');
    assert.equal(await outcomeOf(-61, 3600), '403 AccessDenied', 'an hour, used after 61 minutes');
    assert.equal(await outcomeOf(-2, 60), '403 AccessDenied');
    assert.equal(await outcomeOf(-24 * 60, 7 * 24 * 3600), '200', 'a week, used after a day');
    assert.equal(await outcomeOf(-8 * 24 * 60, 7 * 24 * 3600), '403 AccessDenied');
    assert.equal(await outcomeOf(10, 3600), '200', 'a clock that is ten minutes ahead');
    assert.equal(await outcomeOf(20, 3600), '403 AccessDenied', 'a clock that is twenty minutes ahead');
  });

  it('that expired store nothing', async () => {
    const { s3 } = suite;
    const target = await s3.presign({
      method: 'PUT',
      bucket: 'bucket',
      key: 'victim',
      at: minutesFromNow(-61),
      expiresSeconds: 3600,
    });
    const refused = await put(target);
    assert.deepEqual([refused.outcome, textOf(refused.xml, 'Message')], ['403 AccessDenied', 'Request has expired']);
    await assertUntouched('expired');
  });

  it('that are malformed are refused', async () => {
    const { s3 } = suite;
    const good = await s3.presign({ method: 'GET', bucket: 'bucket', key: 'victim' });
    const code = 'AuthorizationQueryParametersError';
    const without = (name: string): string => good.replace(new RegExp(`[&?]${name}=[^&]*`), '');
    for (const [target, outcome] of [
      [without('X-Amz-Expires'), `400 ${code}`],
      [without('X-Amz-Date'), `400 ${code}`],
      [without('X-Amz-SignedHeaders'), `400 ${code}`],
      [without('X-Amz-Signature'), `400 ${code}`],
      [good.replace('X-Amz-Expires=3600', 'X-Amz-Expires=0'), `400 ${code}`],
      [good.replace('X-Amz-Expires=3600', 'X-Amz-Expires=-1'), `400 ${code}`],
      [good.replace('X-Amz-Expires=3600', 'X-Amz-Expires=604801'), `400 ${code}`],
      [good.replace('X-Amz-Expires=3600', 'X-Amz-Expires=soon'), `400 ${code}`],
      [good.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1'), `400 ${code}`],
      [good.replace('%2Fs3%2F', '%2Fec2%2F'), `400 ${code}`],
      [good.replace(/X-Amz-Date=\d{8}/, 'X-Amz-Date=20200101'), `400 ${code}`],
      [good.replace('X-Amz-SignedHeaders=host', 'X-Amz-SignedHeaders=range'), '403 AccessDenied'],
      [`${good}&X-Amz-Expires=604800`, `400 ${code}`],
      [`${good}&X-Amz-Security-Token=token`, '400 InvalidToken'],
    ] as const) {
      assert.equal((await s3.sendRaw({ method: 'GET', target })).outcome, outcome, target);
    }
  });

  it('with headers that an SDK moved into the query mean the same', async () => {
    const { s3 } = suite;
    const moved = {
      'x-amz-meta-moved': 'grün & 100 %',
      'x-amz-tagging': 'a=1&b=two%20words',
      'x-amz-storage-class': 'STANDARD',
    };
    const headers = { ...moved, 'content-type': 'text/x-moved' };
    const target = await s3.presign({ method: 'PUT', bucket: 'bucket', key: 'moved', headers, hoists: true });
    assert.match(target, /[?&]x-amz-meta-moved=gr%C3%BCn%20%26%20100%20%25(?:&|$)/);
    assert.equal((await put(target, { 'content-type': 'text/x-moved' })).outcome, '200');
    const stored = await s3.head('bucket', 'moved');
    assert.equal(stored.headers['x-amz-meta-moved'], moved['x-amz-meta-moved']);
    assert.equal(stored.headers['content-type'], 'text/x-moved');
    const tags = await s3.send({ method: 'GET', bucket: 'bucket', key: 'moved', query: { tagging: '' } });
    assert.match(tags.text, /<Key>b<\/Key><Value>two words<\/Value>/);
  });

  it('with moved headers make the request that was signed, and no other', async () => {
    const { s3 } = suite;
    const signed = async (key: string, headers: Record<string, string>): Promise<string> =>
      await s3.presign({ method: 'PUT', bucket: 'bucket', key, headers, hoists: true });
    const copy = await signed('a-copy', { 'x-amz-copy-source': '/bucket/victim' });
    assert.equal((await s3.sendRaw({ method: 'PUT', target: copy })).outcome, '200');
    assert.deepEqual((await s3.get('bucket', 'a-copy')).body, (await s3.get('bucket', 'victim')).body);
    const target = await signed('victim', { 'x-amz-meta-moved': 'value' });
    assert.equal((await put(target.replace('moved=value', 'moved=other'))).outcome, '403 SignatureDoesNotMatch');
    assert.equal((await put(`${target}&x-amz-meta-more=1`)).outcome, '403 SignatureDoesNotMatch');
    assert.equal((await put(target, { 'x-amz-meta-moved': 'value' })).outcome, '403 AccessDenied');
    const customerKey = await signed('victim', { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' });
    assert.equal((await put(customerKey)).outcome, '501 NotImplemented');
    const reserved = await signed('victim', { 'x-amz-meta-s3eg': 'forged' });
    assert.equal((await put(reserved)).outcome, '400 InvalidArgument');
    await assertUntouched('moved');
    // In the query of a request that is signed by header, S3 knows no such parameter.
    const query = { 'x-amz-meta-moved': 'value' };
    const unsigned = await s3.send({ method: 'PUT', bucket: 'bucket', key: 'victim', query, body: 'x' });
    assert.equal(unsigned.outcome, '501 NotImplemented');
  });
});

describe('signed headers', () => {
  const suite = suiteWithGateway(['bucket']);

  const request = { method: 'GET', bucket: 'bucket', key: 'victim' };

  const signed = async (at = new Date()): Promise<Record<string, string>> => {
    const { s3 } = suite;
    return signHeaders(s3.toSign(request), { credentials: s3.credentials, at });
  };

  const send = async (headers: Readonly<Record<string, string>>): Promise<string> =>
    (await suite.s3.sendRaw({ method: 'GET', target: targetOf(request), headers })).outcome;

  it('are in time for a quarter of an hour', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'victim', 'as it was');
    for (const [minutes, outcome] of [
      [-14, '200'],
      [14, '200'],
      [-16, '403 RequestTimeTooSkewed'],
      [16, '403 RequestTimeTooSkewed'],
      [-24 * 60, '403 RequestTimeTooSkewed'],
    ] as const) {
      assert.equal((await s3.send({ ...request, at: minutesFromNow(minutes) })).outcome, outcome, `${minutes} minutes`);
    }
  });

  it('need the right secret of a key that is known', async () => {
    const { s3 } = suite;
    const { accessKeyId } = s3.credentials;
    for (const [credentials, outcome] of [
      [{ accessKeyId, secretAccessKey: 'not its secret at all' }, '403 SignatureDoesNotMatch'],
      [{ accessKeyId: 'NOBODY', secretAccessKey: 'whatever it may be' }, '403 InvalidAccessKeyId'],
      [
        { accessKeyId: accessKeyId.toLowerCase(), secretAccessKey: s3.credentials.secretAccessKey },
        '403 InvalidAccessKeyId',
      ],
    ] as const) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        assert.equal((await s3.send({ ...request, method, credentials })).outcome, outcome);
      }
    }
    assert.equal((await s3.get('bucket', 'victim')).text, 'as it was');
  });

  it('cover every header that S3 acts on', async () => {
    const good = await signed();
    assert.equal(await send(good), '200');
    for (const name of ['x-amz-meta-a', 'x-amz-copy-source', 'x-amz-checksum-mode', 'x-amz-date2']) {
      assert.equal(await send({ ...good, [name]: 'x' }), '403 AccessDenied', name);
    }
    assert.equal(await send({ ...good, 'x-amz-date': '20200101T000000Z' }), '400 AuthorizationHeaderMalformed');
    const { 'x-amz-content-sha256': _, ...withoutHash } = good;
    assert.equal(await send(withoutHash), '403 SignatureDoesNotMatch');
    assert.equal(await send({ ...good, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }), '403 SignatureDoesNotMatch');
  });

  it('are refused in any other form', async () => {
    const good = await signed();
    const authorization = good['authorization'] ?? '';
    const malformed = '400 AuthorizationHeaderMalformed';
    for (const [value, outcome] of [
      ['', '400 InvalidArgument'],
      ['Basic dXNlcjpwYXNz', '400 InvalidArgument'],
      ['Bearer token', '400 InvalidArgument'],
      ['AWS E2EROOT:c2lnbmF0dXJl', '400 InvalidRequest'],
      ['AWS4-ECDSA-P256-SHA256 Credential=x', '400 InvalidRequest'],
      ['AWS4-HMAC-SHA256 Credential', malformed],
      [authorization.replace('/s3/', '/sts/'), malformed],
      [authorization.replace('aws4_request', 'aws5_request'), malformed],
      [authorization.replace(/Signature=.*/, 'Signature=short'), malformed],
      [authorization.replace(/, Signature=.*/, ''), malformed],
      [`${authorization}, ${authorization.slice('AWS4-HMAC-SHA256 '.length)}`, malformed],
      [authorization.replace('SignedHeaders=', 'SignedHeaders=;'), malformed],
      [authorization.replace(signatureIn(authorization), '0'.repeat(64)), '403 SignatureDoesNotMatch'],
    ] as const) {
      assert.equal(await send({ ...good, authorization: value }), outcome, value.slice(0, 40));
    }
    const { authorization: _, ...none } = good;
    assert.equal(await send(none), '403 AccessDenied');
    assert.equal(await send({ ...good, 'x-amz-security-token': 'token' }), '400 InvalidToken');
  });

  it('do not go with a signature in the query', async () => {
    const { s3 } = suite;
    const target = await s3.presign(request);
    const both = await s3.sendRaw({ method: 'GET', target, headers: await signed() });
    assert.equal(both.outcome, '400 InvalidArgument');
  });
});
