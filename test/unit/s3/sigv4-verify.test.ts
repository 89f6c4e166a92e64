import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { S3Error } from '../../../src/s3/s3-error.ts';
import { signRequest } from '../../../src/s3/sigv4-sign.ts';
import { authenticate, type SignedRequest } from '../../../src/s3/sigv4-verify.ts';
import { uriEncode } from '../../../src/s3/uri-encoding.ts';
import { emptyHash, exampleCredentials, exampleTime, lookupExample, smithySigner } from './sigv4-support.ts';

const options = { now: exampleTime };

function refused(code: string, check: (error: S3Error) => boolean = () => true): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof S3Error, String(error));
    assert.equal(error.code, code, error.message);
    return check(error);
  };
}

interface OwnRequest extends SignedRequest {
  readonly headers: Record<string, string>;
}

interface Draft {
  readonly method?: string;
  readonly rawPath?: string;
  readonly rawQuery?: string;
  readonly headers?: Record<string, string>;
  readonly payloadHash?: string;
  readonly now?: number;
  readonly region?: string;
}

/** A request signed in its Authorization header. */
function signed(draft: Draft = {}): OwnRequest {
  const { method = 'GET', rawPath = '/bucket/key', rawQuery = '' } = draft;
  const headers = signRequest({
    method,
    rawPath,
    query: rawQuery,
    headers: { host: 'gateway', ...draft.headers },
    payloadHash: draft.payloadHash ?? 'UNSIGNED-PAYLOAD',
    credentials: exampleCredentials,
    region: draft.region ?? 'us-east-1',
    now: draft.now ?? exampleTime,
  });
  return { method, rawPath, rawQuery, headers };
}

/** Another hex digit or letter in place of one character. */
function changed(text: string, index: number): string {
  const at = index < 0 ? text.length + index : index % text.length;
  return `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** A PUT that the AWS SDK presigned; `headers` stay headers. */
async function presigned(headers: Record<string, string> = {}, expiresIn = 3600): Promise<SignedRequest> {
  const { query } = await smithySigner().presign(
    {
      method: 'PUT',
      protocol: 'http:',
      hostname: 'gateway',
      path: '/b/k',
      query: {},
      headers: { host: 'gateway', ...headers },
    },
    { signingDate: new Date(exampleTime), expiresIn, unhoistableHeaders: new Set(Object.keys(headers)) },
  );
  const rawQuery = Object.entries(query ?? {})
    .map(([name, value]) => `${uriEncode(name, true)}=${uriEncode(String(value), true)}`)
    .join('&');
  return { method: 'PUT', rawPath: '/b/k', rawQuery, headers: { host: 'gateway', ...headers } };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and sigv4-query-string-auth.html */
describe('authenticate: the examples that AWS publishes', () => {
  const credential = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request';
  const host = 'examplebucket.s3.amazonaws.com';

  it('GET Object', () => {
    const authenticated = authenticate(
      {
        method: 'GET',
        rawPath: '/test.txt',
        rawQuery: '',
        headers: {
          host,
          range: 'bytes=0-9',
          'x-amz-content-sha256': emptyHash,
          'x-amz-date': '20130524T000000Z',
          authorization: `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41`,
        },
      },
      lookupExample,
      options,
    );
    assert.equal(authenticated.accessKeyId, 'AKIAIOSFODNN7EXAMPLE');
    assert.equal(authenticated.style, 'header');
    assert.equal(authenticated.region, 'us-east-1');
    assert.deepEqual(authenticated.payload, { kind: 'signed', sha256Hex: emptyHash });
    assert.equal(authenticated.signing.scope, '20130524/us-east-1/s3/aws4_request');
    assert.equal(authenticated.signing.timestamp, '20130524T000000Z');
  });

  it('PUT Object, dated by Date as well, its path with an unencoded dollar sign', () => {
    const contentSha256 = createHash('sha256').update('Welcome to Amazon S3.').digest('hex');
    const headers = {
      host,
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-content-sha256': contentSha256,
      'x-amz-date': '20130524T000000Z',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      authorization: `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd`,
    };
    for (const rawPath of ['/test$file.text', '/test%24file.text', '/%74est%24file%2etext']) {
      const request = { method: 'PUT', rawPath, rawQuery: '', headers };
      assert.deepEqual(authenticate(request, lookupExample, options).payload, {
        kind: 'signed',
        sha256Hex: contentSha256,
      });
    }
  });

  const presigned = {
    method: 'GET',
    rawPath: '/test.txt',
    rawQuery:
      'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    headers: { host },
  };

  it('presigned URL, good for a day to the second', () => {
    for (const now of [exampleTime - 15 * 60_000, exampleTime, exampleTime + 86_400_000]) {
      const authenticated = authenticate(presigned, lookupExample, { now });
      assert.equal(authenticated.style, 'presigned');
      assert.deepEqual(authenticated.payload, { kind: 'unsigned' });
    }
    for (const now of [exampleTime - 15 * 60_000 - 1000, exampleTime + 86_400_001]) {
      assert.throws(() => authenticate(presigned, lookupExample, { now }), refused('AccessDenied'));
    }
  });
});

describe('authenticate: what the AWS SDK signs', () => {
  const text = fc.string({ unit: 'binary', maxLength: 12 });
  const key = fc.oneof(text, fc.constantFrom('a//b', '../x', 'a/./b', 'a%2Fb', 'naïve 😀', 'a b+c', "(!'*)~", '/'));
  const request = fc.record({
    method: fc.constantFrom('GET', 'PUT', 'HEAD', 'POST', 'DELETE'),
    key,
    query: fc.dictionary(
      // The SDK's signer keeps parameters in a plain object, which loses this one name.
      text.filter((name) => !name.startsWith('X-Amz-') && name !== '__proto__'),
      text,
      { maxKeys: 4 },
    ),
    meta: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }),
    region: fc.constantFrom('us-east-1', 'eu-central-1', 'auto'),
  });
  type Random = typeof request extends fc.Arbitrary<infer Value> ? Value : never;

  function asSent({ method, key, query }: Random, headers: Record<string, string>): OwnRequest {
    const pairs = Object.entries(query).map(([name, value]) => `${uriEncode(name, true)}=${uriEncode(value, true)}`);
    return { method, rawPath: `/b/${uriEncode(key, false)}`, rawQuery: pairs.join('&'), headers };
  }

  async function signedBySdk(random: Random, contentSha256: string): Promise<OwnRequest> {
    const unsigned = asSent(random, {
      host: 'gateway:8080',
      'x-amz-meta-a': random.meta,
      'x-amz-content-sha256': contentSha256,
    });
    const { headers } = await smithySigner(random.region).sign(
      {
        method: random.method,
        protocol: 'http:',
        hostname: 'gateway',
        path: unsigned.rawPath,
        query: random.query,
        headers: unsigned.headers,
      },
      { signingDate: new Date(exampleTime) },
    );
    return { ...unsigned, headers };
  }

  it('verifies, and any change of a byte does not', async () => {
    await fc.assert(
      fc.asyncProperty(request, fc.nat(), fc.nat(), async (random, which, where) => {
        const contentSha256 = createHash('sha256').update(random.meta).digest('hex');
        const request = await signedBySdk(random, contentSha256);
        const { payload, region } = authenticate(request, lookupExample, options);
        assert.deepEqual(payload, { kind: 'signed', sha256Hex: contentSha256 });
        assert.equal(region, random.region);

        const { headers } = request;
        const changes: readonly (() => SignedRequest)[] = [
          () => ({ ...request, method: changed(request.method, where) }),
          () => ({ ...request, rawPath: `${request.rawPath}x` }),
          () => ({ ...request, rawPath: request.rawPath.replace('/b/', '/c/') }),
          () => ({ ...request, rawQuery: request.rawQuery === '' ? 'x' : `${request.rawQuery}&x` }),
          () => ({ ...request, headers: { ...headers, host: 'gatewax:8080' } }),
          () => ({ ...request, headers: { ...headers, 'x-amz-meta-a': `x${random.meta}` } }),
          () => ({ ...request, headers: { ...headers, 'x-amz-content-sha256': changed(contentSha256, where) } }),
          () => ({ ...request, headers: { ...headers, 'x-amz-date': '20130524T000001Z' } }),
          () => ({
            ...request,
            headers: { ...headers, authorization: changed(headers['authorization'] ?? '', -1 - (where % 64)) },
          }),
        ];
        const change = changes[which % changes.length];
        assert.throws(
          () => authenticate(change?.() ?? request, lookupExample, options),
          refused('SignatureDoesNotMatch'),
        );
      }),
      { numRuns: 150 },
    );
  });

  it('verifies as presigned URL', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (random) => {
        const unsigned = asSent(random, { host: 'gateway' });
        const presigned = await smithySigner(random.region).presign(
          {
            method: random.method,
            protocol: 'http:',
            hostname: 'gateway',
            path: unsigned.rawPath,
            query: random.query,
            headers: { host: 'gateway', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
          },
          { signingDate: new Date(exampleTime), expiresIn: 3600 },
        );
        const rawQuery = Object.entries(presigned.query ?? {})
          .map(([name, value]) => `${uriEncode(name, true)}=${uriEncode(String(value), true)}`)
          .join('&');
        const request = { ...unsigned, rawQuery };
        const { payload, style } = authenticate(request, lookupExample, { now: exampleTime + 600_000 });
        assert.equal(style, 'presigned');
        assert.deepEqual(payload, { kind: 'unsigned' });
        const longer = { ...request, rawQuery: rawQuery.replace('X-Amz-Expires=3600', 'X-Amz-Expires=3601') };
        assert.throws(() => authenticate(longer, lookupExample, options), refused('SignatureDoesNotMatch'));
        assert.throws(
          () => authenticate({ ...request, method: 'PATCH' }, lookupExample, options),
          refused('SignatureDoesNotMatch'),
        );
      }),
      { numRuns: 50 },
    );
  });
});

describe('authenticate: spellings of one request', () => {
  it('takes a path that is signed as it is sent', () => {
    for (const rawPath of ["/b/a(1)!'*", '/b/%7e%c3%a9', '/b/a%2Fb'])
      authenticate(signed({ rawPath }), lookupExample, options);
  });

  it('takes a path that is sent other than it is signed', () => {
    const request = signed({ rawPath: '/b/a%281%29~%C3%A9' });
    for (const rawPath of ['/b/a(1)~%c3%a9', '/b/%61%281%29%7E\u00c3\u00a9']) {
      authenticate({ ...request, rawPath }, lookupExample, options);
    }
  });

  it('does not normalise segments', () => {
    const request = signed({ rawPath: '/b/a//b/../c' });
    authenticate(request, lookupExample, options);
    for (const rawPath of ['/b/a/b/../c', '/b/a//c', '/b/a/c']) {
      assert.throws(
        () => authenticate({ ...request, rawPath }, lookupExample, options),
        refused('SignatureDoesNotMatch'),
      );
    }
  });

  it('joins repeated headers by commas and collapses spaces', () => {
    const request = signed({ headers: { 'x-amz-meta-a': 'one,two three' } });
    const others = Object.entries(request.headers).filter(([name]) => name !== 'x-amz-meta-a');
    const rawHeaders = [...others.flat(), 'X-Amz-Meta-A', ' one ', 'x-amz-meta-a', 'two \t three'];
    authenticate({ ...request, rawHeaders }, lookupExample, options);
    assert.throws(
      () => authenticate({ ...request, rawHeaders: [...rawHeaders, 'x-amz-meta-a', 'four'] }, lookupExample, options),
      refused('SignatureDoesNotMatch'),
    );
  });

  it('signs header bytes as they are on the wire', () => {
    const value = Buffer.from('à  é à').toString('latin1');
    authenticate(signed({ headers: { 'x-amz-meta-a': value } }), lookupExample, options);
  });

  it('tries the hosts that a proxy stands for', () => {
    const request = signed();
    const proxied = { ...request, headers: { ...request.headers, host: '10.0.0.7:8080' } };
    assert.throws(() => authenticate(proxied, lookupExample, options), refused('SignatureDoesNotMatch'));
    assert.equal(authenticate(proxied, lookupExample, { ...options, hosts: ['other', 'gateway'] }).host, 'gateway');
    assert.equal(authenticate(request, lookupExample, { ...options, hosts: ['other'] }).host, 'gateway');
    assert.throws(
      () => authenticate(proxied, lookupExample, { ...options, hosts: ['other'] }),
      refused('SignatureDoesNotMatch'),
    );
  });

  it('takes Expect that a proxy dropped', () => {
    const { headers, ...request } = signed();
    const sign = (signature: string): SignedRequest => {
      const authorization = (headers['authorization'] ?? '')
        .replace('SignedHeaders=', 'SignedHeaders=expect;')
        .replace(/[0-9a-f]{64}$/, signature);
      return { ...request, headers: { ...headers, authorization } };
    };
    const canonical = `GET\n/bucket/key\n\nexpect:100-continue\nhost:gateway\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:20130524T000000Z\n\nexpect;host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD`;
    const hash = createHash('sha256').update(canonical).digest('hex');
    const key = ['20130524', 'us-east-1', 's3', 'aws4_request'].reduce<string | Buffer>(
      hmac,
      `AWS4${exampleCredentials.secretAccessKey}`,
    );
    const toSign = `AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n${hash}`;
    authenticate(sign(hmac(key, toSign).toString('hex')), lookupExample, options);
    assert.throws(() => authenticate(sign('0'.repeat(64)), lookupExample, options), refused('SignatureDoesNotMatch'));
  });
});

describe('authenticate: refusals', () => {
  const request = signed();
  const { authorization = '' } = request.headers;
  const withHeaders = (headers: Record<string, string>): SignedRequest => ({
    ...request,
    headers: { ...request.headers, ...headers },
  });
  const withoutHeader = (name: string): SignedRequest => ({
    ...request,
    headers: Object.fromEntries(Object.entries(request.headers).filter(([other]) => other !== name)),
  });
  const withAuthorization = (text: string): SignedRequest => withHeaders({ authorization: text });

  const cases: readonly { readonly name: string; readonly request: SignedRequest; readonly code: string }[] = [
    { name: 'no signature', request: withoutHeader('authorization'), code: 'AccessDenied' },
    { name: 'SigV2', request: withAuthorization('AWS AKIA:c2ln'), code: 'InvalidRequest' },
    {
      name: 'SigV4A',
      request: withAuthorization(authorization.replace('HMAC-SHA256', 'ECDSA-P256-SHA256')),
      code: 'InvalidRequest',
    },
    {
      name: 'SigV2 in the query',
      request: { ...withoutHeader('authorization'), rawQuery: 'AWSAccessKeyId=a&Signature=b&Expires=1' },
      code: 'InvalidRequest',
    },
    { name: 'Basic', request: withAuthorization('Basic YTpi'), code: 'InvalidArgument' },
    { name: 'two styles', request: { ...request, rawQuery: 'X-Amz-Signature=a' }, code: 'InvalidArgument' },
    {
      name: 'two styles, one SigV2',
      request: { ...request, rawQuery: 'AWSAccessKeyId=a&Signature=b' },
      code: 'InvalidArgument',
    },
    { name: 'a session token', request: signed({ headers: { 'x-amz-security-token': 't' } }), code: 'InvalidToken' },
    {
      name: 'an unknown access key',
      request: withAuthorization(authorization.replace('AKIAIOSFODNN7EXAMPLE', 'AKIANOBODY')),
      code: 'InvalidAccessKeyId',
    },
    { name: 'no content hash', request: withoutHeader('x-amz-content-sha256'), code: 'SignatureDoesNotMatch' },
    { name: 'an unsigned x-amz header', request: withHeaders({ 'x-amz-copy-source': '/b/k' }), code: 'AccessDenied' },
    { name: 'an unsigned host', request: withAuthorization(authorization.replace('host;', '')), code: 'AccessDenied' },
    {
      name: 'a signed header that is not there',
      request: withAuthorization(authorization.replace('host;', 'content-md5;host;')),
      code: 'SignatureDoesNotMatch',
    },
    {
      name: 'another service',
      request: withAuthorization(authorization.replace('/s3/', '/sts/')),
      code: 'AuthorizationHeaderMalformed',
    },
    {
      name: 'another terminator',
      request: withAuthorization(authorization.replace('aws4_request', 'aws5_request')),
      code: 'AuthorizationHeaderMalformed',
    },
    {
      name: 'another date in the scope',
      request: withAuthorization(authorization.replace('/20130524/', '/20130525/')),
      code: 'AuthorizationHeaderMalformed',
    },
    {
      name: 'no Signature',
      request: withAuthorization(authorization.replace(/, Signature=.*/, '')),
      code: 'AuthorizationHeaderMalformed',
    },
    {
      name: 'a Signature cut short',
      request: withAuthorization(authorization.slice(0, -1)),
      code: 'AuthorizationHeaderMalformed',
    },
    {
      name: 'Credential twice',
      request: withAuthorization(`${authorization}, Credential=x`),
      code: 'AuthorizationHeaderMalformed',
    },
    {
      name: 'a signed header twice',
      request: withAuthorization(authorization.replace('host;', 'host;host;')),
      code: 'AuthorizationHeaderMalformed',
    },
    {
      name: 'no date',
      request: {
        ...request,
        headers: {
          host: 'gateway',
          'x-amz-content-sha256': emptyHash,
          authorization: authorization.replace(';x-amz-date', ''),
        },
      },
      code: 'AccessDenied',
    },
    { name: 'a date that is none', request: withHeaders({ 'x-amz-date': '20130532T000000Z' }), code: 'AccessDenied' },
    { name: 'a content hash that is none', request: signed({ payloadHash: 'abc' }), code: 'InvalidArgument' },
    { name: 'a broken path', request: { ...request, rawPath: '/%zz' }, code: 'InvalidURI' },
    { name: 'a broken query', request: { ...request, rawQuery: '%' }, code: 'InvalidURI' },
  ];
  const good = request;
  for (const { name, request, code } of cases) {
    it(`${name}: ${code}`, () => {
      assert.throws(() => authenticate(request, lookupExample, options), refused(code));
      // The same behind a good one, of which the verifier may remember something.
      authenticate(good, lookupExample, options);
      assert.throws(() => authenticate(request, lookupExample, options), refused(code));
    });
  }

  it('any other signature behind what stood in front of a good one', () => {
    authenticate(good, lookupExample, options);
    const start = authorization.lastIndexOf('=') + 1;
    for (let index = start; index < authorization.length; index += 1) {
      const other = withAuthorization(changed(authorization, index));
      assert.throws(() => authenticate(other, lookupExample, options), refused('SignatureDoesNotMatch'));
    }
    for (const end of ['', ' ', ',', ',x', '0', ' 0']) {
      const behind = `${authorization}${end}`;
      // White space at the end is no part of a header's value.
      if (end.trim() === '') authenticate(withAuthorization(behind), lookupExample, options);
      else {
        const malformed = refused('AuthorizationHeaderMalformed');
        assert.throws(() => authenticate(withAuthorization(behind), lookupExample, options), malformed);
      }
    }
  });

  it('nothing more of a client after many others', () => {
    for (let other = 0; other < 600; other += 1) {
      const text = authorization.replace('host;', `host;x-${other};`);
      assert.throws(() => authenticate(withAuthorization(text), lookupExample, options), S3Error);
    }
    assert.equal(authenticate(good, lookupExample, options).accessKeyId, exampleCredentials.accessKeyId);
  });

  it('names the headers that are not signed', () => {
    assert.throws(
      () => authenticate(withHeaders({ 'x-amz-copy-source': '/b/k', 'x-amz-acl': 'private' }), lookupExample, options),
      refused('AccessDenied', ({ details }) => details['HeadersNotSigned'] === 'x-amz-copy-source, x-amz-acl'),
    );
  });

  const messages: readonly [string, string, RegExp][] = [
    ['no space', 'AWS4-HMAC-SHA256', /one and only one ' ' \(space\) required/],
    ['two components', authorization.replace(/, Signature=.*/, ''), /requires three components/],
    ['a component with no value', authorization.replace(/Signature=.*/, 'Signature'), /component "Signature" is malf/],
    ['another component', authorization.replace('Signature=', 'Sign='), /missing Signature\./],
    [
      'another service',
      authorization.replace('/s3/', '/ec2/'),
      /incorrect service "ec2"\. This endpoint belongs to "s3"\./,
    ],
    ['another terminal', authorization.replace('aws4_', 'aws_'), /incorrect terminal "aws_request"\./],
    ['a date in words', authorization.replace('/20130524/', '/today/'), /incorrect date format "today"\./],
    ['a scope that goes on', authorization.replace('/aws4_request', '/extra/things'), /the Credential is mal-formed/],
    ['no scope', authorization.replace(/Credential=[^,]*/, 'Credential=AKIA'), /the Credential is mal-formed/],
  ];
  for (const [what, text, message] of messages) {
    it(`says what is wrong with ${what}, as S3 does`, () => {
      assert.throws(() => authenticate(withAuthorization(text), lookupExample, options), { status: 400, message });
    });
  }

  it('requires a content hash that is signed', () => {
    const { headers } = request;
    const unsigned = {
      ...request,
      headers: { ...headers, authorization: authorization.replace(';x-amz-content-sha256', '') },
    };
    assert.throws(() => authenticate(unsigned, lookupExample, options), refused('AccessDenied'));
    const absent = {
      host: 'gateway',
      'x-amz-date': headers['x-amz-date'] ?? '',
      authorization: unsigned.headers.authorization,
    };
    assert.throws(
      () => authenticate({ ...request, headers: absent }, lookupExample, options),
      refused('InvalidRequest', ({ message }) => message.includes('x-amz-content-sha256')),
    );
  });

  it('holds a header signature for 15 minutes either way', () => {
    const skew = 15 * 60_000;
    for (const now of [exampleTime - skew, exampleTime + skew]) authenticate(request, lookupExample, { now });
    for (const now of [exampleTime - skew - 1, exampleTime + skew + 1]) {
      assert.throws(() => authenticate(request, lookupExample, { now }), refused('RequestTimeTooSkewed'));
    }
    authenticate(request, lookupExample, { now: exampleTime + 60_000, skewMs: 60_000 });
    assert.throws(
      () => authenticate(request, lookupExample, { now: exampleTime + 60_001, skewMs: 60_000 }),
      refused('RequestTimeTooSkewed'),
    );
  });

  it('holds to one region where one is set', () => {
    authenticate(signed({ region: 'eu-west-1' }), lookupExample, { ...options, region: 'eu-west-1' });
    assert.throws(
      () => authenticate(request, lookupExample, { ...options, region: 'eu-west-1' }),
      refused('AuthorizationHeaderMalformed', ({ message }) => message.includes("expecting 'eu-west-1'")),
    );
  });

  it('shows what was signed, but no key of the customer', () => {
    const customerKey = 'c2VjcmV0IGN1c3RvbWVyIGtleQ==';
    const request = signed({ headers: { 'x-amz-server-side-encryption-customer-key': customerKey } });
    assert.throws(
      () => authenticate({ ...request, method: 'PUT' }, lookupExample, options),
      refused('SignatureDoesNotMatch', (error) => {
        assert.match(error.details['CanonicalRequest'] ?? '', /^PUT\n\/bucket\/key\n\nhost:gateway\n/);
        assert.match(error.details['StringToSign'] ?? '', /^AWS4-HMAC-SHA256\n20130524T000000Z\n/);
        assert.equal(error.details['AWSAccessKeyId'], exampleCredentials.accessKeyId);
        const shown = JSON.stringify([error.message, error.details]);
        return !shown.includes(customerKey) && !shown.includes(exampleCredentials.secretAccessKey);
      }),
    );
  });
});

describe('authenticate: presigned URLs', () => {
  it('hold for an hour, not for 15 minutes', async () => {
    const request = await presigned({ 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' });
    for (const minutes of [0, 10, 16, 59, 60]) {
      authenticate(request, lookupExample, { now: exampleTime + minutes * 60_000 });
    }
    assert.throws(
      () => authenticate(request, lookupExample, { now: exampleTime + 3_600_001 }),
      refused('AccessDenied', ({ message, details }) => {
        return message === 'Request has expired' && details['Expires'] === '2013-05-24T01:00:00Z';
      }),
    );
    assert.throws(
      () => authenticate(request, lookupExample, { now: exampleTime - 15 * 60_000 - 1 }),
      refused('AccessDenied', ({ message }) => message === 'Request is not yet valid'),
    );
  });

  it('refuse a header that turns a PUT into a copy', async () => {
    const { headers, ...request } = await presigned({ 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' });
    assert.throws(
      () =>
        authenticate({ ...request, headers: { ...headers, 'x-amz-copy-source': '/secret/k' } }, lookupExample, options),
      refused('AccessDenied', ({ details }) => details['HeadersNotSigned'] === 'x-amz-copy-source'),
    );
  });

  it('need a header that was signed, with its value', async () => {
    const { headers, ...request } = await presigned({
      'content-type': 'text/plain',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    });
    authenticate({ ...request, headers }, lookupExample, options);
    for (const type of ['text/html', undefined]) {
      assert.throws(
        () => authenticate({ ...request, headers: { ...headers, 'content-type': type } }, lookupExample, options),
        refused('SignatureDoesNotMatch'),
      );
    }
  });

  it('may carry the hash of the body', async () => {
    const request = await presigned({ 'x-amz-content-sha256': emptyHash });
    assert.deepEqual(authenticate(request, lookupExample, options).payload, { kind: 'signed', sha256Hex: emptyHash });
  });

  const malformed = [
    { name: 'no date', from: /X-Amz-Date=[^&]*&?/, to: '' },
    { name: 'no expiry', from: /X-Amz-Expires=[^&]*&?/, to: '' },
    { name: 'an expiry of no time', from: /X-Amz-Expires=\d+/, to: 'X-Amz-Expires=0' },
    { name: 'a negative expiry', from: /X-Amz-Expires=\d+/, to: 'X-Amz-Expires=-1' },
    { name: 'an expiry beyond a week', from: /X-Amz-Expires=\d+/, to: 'X-Amz-Expires=604801' },
    { name: 'an expiry that is no number', from: /X-Amz-Expires=\d+/, to: 'X-Amz-Expires=1h' },
    { name: 'another algorithm', from: 'AWS4-HMAC-SHA256', to: 'AWS4-HMAC-SHA1' },
    { name: 'a credential without scope', from: /X-Amz-Credential=[^&]*/, to: 'X-Amz-Credential=AKIA' },
    { name: 'a parameter given twice', from: /$/, to: '&X-Amz-Expires=3600' },
    { name: 'a date that is none', from: /X-Amz-Date=[^&]*/, to: 'X-Amz-Date=2013-05-24' },
    { name: 'a date other than in its scope', from: /X-Amz-Date=[^&]*/, to: 'X-Amz-Date=20130525T000000Z' },
  ];
  for (const { name, from, to } of malformed) {
    it(`refuse ${name}`, async () => {
      const request = await presigned({ 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' });
      const rawQuery = request.rawQuery.replace(from, to);
      assert.throws(
        () => authenticate({ ...request, rawQuery }, lookupExample, options),
        refused('AuthorizationQueryParametersError'),
      );
    });
  }

  it('refuse a session token', async () => {
    const request = await presigned({ 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' });
    assert.throws(
      () =>
        authenticate({ ...request, rawQuery: `${request.rawQuery}&X-Amz-Security-Token=t` }, lookupExample, options),
      refused('InvalidToken'),
    );
  });
});
