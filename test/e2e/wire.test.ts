import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { targetOf, type S3Request } from './support/client.ts';
import { RawConnection, requestHead } from './support/raw-connection.ts';
import type { S3Response } from './support/response.ts';
import { signHeaders } from './support/signing.ts';
import { suiteWithGateway } from './support/suite.ts';

type Fields = readonly (readonly [name: string, value: string])[];

describe('requests on the wire', () => {
  const suite = suiteWithGateway(['bucket']);
  before(async () => {
    await suite.s3.put('bucket', 'victim', 'as it was');
  });

  const sign = async (request: S3Request): Promise<Record<string, string>> => {
    const { s3 } = suite;
    return signHeaders(s3.toSign(request), { credentials: request.credentials ?? s3.credentials });
  };

  /** A PUT that is signed without its length, so that a test can say what length there is. */
  const signedPut = async (): Promise<Record<string, string>> =>
    sign({ method: 'PUT', bucket: 'bucket', key: 'victim', payloadHash: 'UNSIGNED-PAYLOAD' });

  /** Everything that the gateway answers to some bytes, until it closes the connection or has nothing more to say. */
  const answersTo = async (bytes: string | Buffer): Promise<readonly S3Response[]> => {
    using connection = await RawConnection.open(suite.gateway.s3);
    connection.write(bytes);
    connection.socket.end();
    const answers: S3Response[] = [];
    try {
      for (;;) answers.push(await connection.answer());
    } catch (error) {
      assert.match(String(error), /closed \(/);
    }
    return answers;
  };

  /** The first answer, to a client that would go on. */
  const answerTo = async (bytes: string | Buffer): Promise<S3Response> => {
    using connection = await RawConnection.open(suite.gateway.s3);
    connection.write(bytes);
    return await connection.answer();
  };

  const assertUntouched = async (name: string): Promise<void> => {
    assert.equal((await suite.s3.get('bucket', 'victim')).text, 'as it was', name);
  };

  it('of two lengths, or none that is sure, are refused and end the connection', async () => {
    const headers = Object.entries(await signedPut());
    // What a server that takes the other length would see as a request of its own.
    const smuggled = requestHead(
      'DELETE',
      '/bucket/victim',
      await sign({ method: 'DELETE', bucket: 'bucket', key: 'victim' }),
    );
    const shapes: readonly (readonly [fields: Fields, body: string])[] = [
      [
        [
          ['content-length', '4'],
          ['transfer-encoding', 'chunked'],
        ],
        '0\r\n\r\n',
      ],
      [
        [
          ['transfer-encoding', 'chunked'],
          ['content-length', '4'],
        ],
        '0\r\n\r\n',
      ],
      [
        [
          ['content-length', '4'],
          ['content-length', '5'],
        ],
        'body',
      ],
      [
        [
          ['content-length', '4'],
          ['content-length', '4'],
        ],
        'body',
      ],
      [[['content-length', '4, 4']], 'body'],
      [[['content-length', '+4']], 'body'],
      [[['content-length', '-4']], 'body'],
      [[['content-length', '0x4']], 'body'],
      [[['content-length', '4 4']], 'body'],
      [[['content-length', '']], ''],
      [[['content-length', '99999999999999999999']], 'body'],
      [[['transfer-encoding', 'chunked, identity']], '0\r\n\r\n'],
      [[['transfer-encoding', 'identity']], ''],
      [[['transfer-encoding', 'xchunked']], ''],
      [[['transfer-encoding', 'chunked;q=1']], '0\r\n\r\n'],
      [
        [
          ['transfer-encoding', 'chunked'],
          ['transfer-encoding', 'identity'],
        ],
        '0\r\n\r\n',
      ],
      [[['Content-Length ', '4']], 'body'],
      [[['transfer-encoding ', 'chunked']], '0\r\n\r\n'],
    ];
    for (const [fields, body] of shapes) {
      const name = JSON.stringify(fields);
      const head = requestHead('PUT', '/bucket/victim', [...headers, ...fields]);
      const answers = await answersTo(Buffer.concat([head, Buffer.from(body), smuggled]));
      assert.equal(answers.length, 1, `${name}: one answer and no more`);
      assert.equal(answers[0]?.outcome, '400 BadRequest', name);
      assert.equal(answers[0]?.headers['connection'], 'close', name);
      await assertUntouched(name);
    }
  });

  it('with broken chunks store nothing and end the connection', async () => {
    const { s3 } = suite;
    const headers = {
      ...(await sign({
        method: 'PUT',
        bucket: 'bucket',
        key: 'victim',
        payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        headers: { 'x-amz-decoded-content-length': '4', 'x-amz-trailer': 'x-amz-checksum-crc32' },
      })),
      'transfer-encoding': 'chunked',
    };
    const smuggled = requestHead(
      'DELETE',
      '/bucket/victim',
      await sign({ method: 'DELETE', bucket: 'bucket', key: 'victim' }),
    );
    for (const chunks of [
      'zz\r\nbody\r\n0\r\n\r\n',
      '-4\r\nbody\r\n0\r\n\r\n',
      '4\r\nbodyX\r\n0\r\n\r\n',
      '4\nbody\n0\n\n',
      '0x4\r\nbody\r\n0\r\n\r\n',
      'ffffffffffffffffff\r\nbody\r\n0\r\n\r\n',
    ]) {
      const answers = await answersTo(
        Buffer.concat([requestHead('PUT', '/bucket/victim', headers), Buffer.from(chunks), smuggled]),
      );
      for (const { status } of answers) assert.equal(status, 400, JSON.stringify(chunks));
      assert.ok(answers.length <= 1, JSON.stringify(chunks));
      await assertUntouched(chunks);
    }
    assert.equal((await s3.head('bucket', 'victim')).status, 200);
  });

  it('whose head is no HTTP are refused', async () => {
    const headers = requestHead(
      'GET',
      '/bucket/victim',
      await sign({ method: 'GET', bucket: 'bucket', key: 'victim' }),
    ).toString();
    const fields = headers.slice(headers.indexOf('\r\n') + 2);
    for (const bytes of [
      'GARBAGE\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      `GET /bucket/victim HTTP/3.0\r\n${fields}`,
      `GET /bucket/victim\r\n${fields}`,
      `GET  /bucket/victim HTTP/1.1\r\n${fields}`,
      `get /bucket/victim HTTP/1.1\r\n${fields}`,
      `GET /bucket/victim HTTP/1.1\r\nno colon\r\n${fields}`,
      `GET /bucket/victim HTTP/1.1\r\nbad name: x\r\n${fields}`,
      `GET /bucket/victim HTTP/1.1\r\nnul: a\0b\r\n${fields}`,
      `GET /bucket/victim HTTP/1.1\r\nlone: a\rb\r\n${fields}`,
      `GET /bucket/victim HTTP/1.1\r\n: x\r\n${fields}`,
      `GET /bucket/victim HTTP/1.1\r\n folded\r\n${fields}`,
      `GET /bucket/victim HTTP/1.1\r\nhost: another\r\n${fields}`,
      'GET /bucket/victim HTTP/1.1\r\nx: y\r\n\r\n',
    ]) {
      const answers = await answersTo(bytes);
      assert.ok(answers.length <= 1, JSON.stringify(bytes.slice(0, 60)));
      for (const { status } of answers) assert.equal(status, 400, JSON.stringify(bytes.slice(0, 60)));
    }
  });

  it('with a target that is no path are refused, whoever signed them', async () => {
    const headers = await sign({ method: 'GET', bucket: 'bucket', key: 'victim' });
    for (const target of [`http://${suite.s3.host}/bucket/victim`, '*', 'bucket/victim', '?/bucket/victim']) {
      const { status, outcome } = await answerTo(requestHead('GET', target, headers));
      assert.ok(status >= 400 && status < 500, `${target}: ${outcome}`);
    }
  });

  it('with a head that is too large are refused', async () => {
    const headers = await sign({ method: 'GET', bucket: 'bucket', key: 'victim' });
    const many: Fields = Array.from({ length: 300 }, (_, index) => [`x-header-${index}`, 'x']);
    for (const [name, bytes] of [
      ['one long field', requestHead('GET', '/bucket/victim', { ...headers, cookie: 'x'.repeat(64 * 1024) })],
      ['many fields', requestHead('GET', '/bucket/victim', [...Object.entries(headers), ...many])],
      ['a long target', requestHead('GET', `/bucket/victim?${'x'.repeat(64 * 1024)}`, headers)],
    ] as const) {
      const answers = await answersTo(bytes);
      assert.deepEqual(
        answers.map(({ outcome }) => outcome),
        ['431 RequestHeaderSectionTooLarge'],
        name,
      );
    }
  });

  it('without a length store nothing', async () => {
    const headers = await signedPut();
    const none = await answerTo(requestHead('PUT', '/bucket/victim', headers));
    assert.equal(none.outcome, '411 MissingContentLength');
    const chunked = requestHead('PUT', '/bucket/victim', { ...headers, 'transfer-encoding': 'chunked' });
    const unknown = await answerTo(Buffer.concat([chunked, Buffer.from('4\r\nbody\r\n0\r\n\r\n')]));
    assert.equal(unknown.outcome, '411 MissingContentLength');
    await assertUntouched('no length');
    // Operations whose body may be left out do not need to say that it is.
    const bucket = await answerTo(
      requestHead('PUT', '/without-length', await sign({ method: 'PUT', bucket: 'without-length' })),
    );
    assert.equal(bucket.outcome, '200');
  });

  it('that ask first are told to go on only when nothing stands against them', async () => {
    const { s3, gateway } = suite;
    const body = Buffer.from('new content');
    const ask = async (
      request: S3Request,
      change: Readonly<Record<string, string>> = {},
    ): Promise<readonly string[]> => {
      const headers = { ...(await sign(request)), expect: '100-continue', ...change };
      using connection = await RawConnection.open(gateway.s3);
      connection.write(requestHead(request.method, targetOf(request), headers));
      const first = await connection.answer();
      if (first.status !== 100) return [first.outcome];
      connection.write(body);
      return ['100', (await connection.answer()).outcome];
    };
    const request = { method: 'PUT', bucket: 'bucket', key: 'asked', body };
    assert.deepEqual(await ask(request), ['100', '200']);
    assert.equal((await s3.get('bucket', 'asked')).text, 'new content');
    const unsigned = { authorization: 'none' };
    const tooLarge = { 'content-length': String(6 * 1024 ** 3) };
    const rows: readonly (readonly [outcome: string, request: S3Request, change?: Readonly<Record<string, string>>])[] =
      [
        ['400 InvalidArgument', request, unsigned],
        [
          '403 SignatureDoesNotMatch',
          { ...request, credentials: { ...s3.credentials, secretAccessKey: 'not this one' } },
        ],
        ['403 InvalidAccessKeyId', { ...request, credentials: { accessKeyId: 'NOBODY', secretAccessKey: 'whatever' } }],
        ['403 AccessDenied', { ...request, key: '.s3eg/x' }],
        ['403 AccessDenied', request, { 'x-amz-meta-unsigned': 'x' }],
        ['404 NoSuchBucket', { ...request, bucket: 'not-there' }],
        ['412 PreconditionFailed', { ...request, headers: { 'if-none-match': '*' } }],
        ['400 KeyTooLongError', { ...request, key: 'k'.repeat(1025) }],
        ['400 InvalidDigest', { ...request, headers: { 'content-md5': 'x' } }],
        ['400 InvalidArgument', { ...request, headers: { 'x-amz-meta-s3eg': 'x' } }],
        ['400 EntityTooLarge', { ...request, headers: tooLarge }],
        ['404 NoSuchUpload', { ...request, query: { partNumber: '1', uploadId: 'none' } }],
        ['501 NotImplemented', { ...request, query: { 'not-known': '' } }],
        ['417 ExpectationFailed', request, { expect: 'a-miracle' }],
      ];
    for (const [outcome, asked, change] of rows) {
      assert.deepEqual(await ask(asked, change), [outcome], JSON.stringify({ ...asked, body: undefined, change }));
    }
    assert.equal((await s3.get('bucket', 'asked')).text, 'new content');
  });

  it('that are sent ahead are answered in their order', async () => {
    const { gateway } = suite;
    const put = { method: 'PUT', bucket: 'bucket', key: 'ahead', body: Buffer.from('one') };
    const get = { method: 'GET', bucket: 'bucket', key: 'ahead' };
    using connection = await RawConnection.open(gateway.s3);
    const bytes = [
      requestHead('PUT', targetOf(put), await sign(put)),
      put.body,
      requestHead('GET', targetOf(get), await sign(get)),
      requestHead('HEAD', targetOf(get), await sign({ ...get, method: 'HEAD' })),
      requestHead('GET', '/bucket/nothing', await sign({ ...get, key: 'nothing' })),
    ];
    connection.write(Buffer.concat(bytes));
    assert.equal((await connection.answer()).outcome, '200');
    assert.equal((await connection.answer()).text, 'one');
    assert.equal((await connection.answer('HEAD')).status, 200);
    assert.equal((await connection.answer()).outcome, '404 NoSuchKey');
  });

  it('may come byte by byte', async () => {
    const { gateway, s3 } = suite;
    const put = { method: 'PUT', bucket: 'bucket', key: 'slow', body: Buffer.from('slowly') };
    using connection = await RawConnection.open(gateway.s3);
    for (const byte of Buffer.concat([requestHead('PUT', targetOf(put), await sign(put)), put.body])) {
      connection.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await connection.answer()).outcome, '200');
    assert.equal((await s3.get('bucket', 'slow')).text, 'slowly');
  });

  it('each get an id of their own, in header, error and log', async () => {
    const { s3, gateway } = suite;
    const ids = new Set<string>();
    for (let round = 0; round < 20; round++) {
      const answer = await s3.get('bucket', 'no such key');
      const id = answer.headers['x-amz-request-id'] ?? '';
      assert.match(id, /^[0-9A-F]{16}$/);
      assert.match(answer.text, new RegExp(`<RequestId>${id}</RequestId>`));
      ids.add(id);
    }
    assert.equal(ids.size, 20);
    await gateway.process.until(
      ({ stdout }) => [...ids].every((id) => stdout.includes(`"request_id":"${id}"`)) || undefined,
    );
  });
});
