import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { type ChecksumName, checksumNames, checksumOf, md5Of, sha256Hex } from './support/checksums.ts';
import { targetOf } from './support/client.ts';
import { RawConnection, requestHead } from './support/raw-connection.ts';
import { signHeaders } from './support/signing.ts';
import { streamingPut, type StreamingPut } from './support/streaming.ts';
import { suiteWithGateway } from './support/suite.ts';

/** One that fits into a chunk of everything, and one that is on its way to the store before its end is seen. */
const bodies = [Buffer.from('small'), seededBytes('attacked', 150_001)] as const;

const otherBody = Buffer.from('other bytes');

/** Values are dear to compute bit by bit. */
const values = new Map<string, string>();

function checksum(name: ChecksumName, body: Buffer): string {
  const id = `${name} ${body.length}`;
  const value = values.get(id) ?? checksumOf(name, body);
  values.set(id, value);
  return value;
}

function inChunks(body: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(body.length / size) }, (_, index) =>
    body.subarray(index * size, (index + 1) * size),
  );
}

describe('a body that is not what the client said', () => {
  const suite = suiteWithGateway(['bucket']);
  let filesBefore: readonly string[] = [];
  before(async () => {
    await suite.s3.put('bucket', 'victim', 'as it was');
    filesBefore = await suite.gateway.storedFiles();
  });

  /** The object is the old one, and no byte of the refused one is on the disk. */
  const assertUntouched = async (name: string): Promise<void> => {
    const got = await suite.s3.get('bucket', 'victim');
    assert.deepEqual([got.outcome, got.text], ['200', 'as it was'], name);
    await suite.gateway.untilStored(filesBefore, name);
  };

  it('is refused by the header that is wrong', async () => {
    const rows: readonly (readonly [headers: Readonly<Record<string, string>>, outcome: string])[] = [
      [{ 'content-md5': md5Of(otherBody) }, '400 BadDigest'],
      [{ 'content-md5': 'bm90IGFuIE1ENQ==' }, '400 InvalidDigest'],
      [{ 'content-md5': '!' }, '400 InvalidDigest'],
      [{ 'x-amz-content-sha256': sha256Hex(otherBody) }, '400 XAmzContentSHA256Mismatch'],
      [{ 'x-amz-content-sha256': 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD' }, '400 InvalidArgument'],
      [{ 'x-amz-content-sha256': 'not a hash' }, '400 InvalidArgument'],
      ...checksumNames.map(
        (name) => [{ [`x-amz-checksum-${name}`]: checksumOf(name, otherBody) }, '400 BadDigest'] as const,
      ),
      ...checksumNames.map((name) => [{ [`x-amz-checksum-${name}`]: 'AA' }, '400 InvalidRequest'] as const),
      [{ 'x-amz-checksum-crc16': 'AAAAAAAAAAA=' }, '501 NotImplemented'],
      [{ 'x-amz-sdk-checksum-algorithm': 'CRC32' }, '400 InvalidRequest'],
      [
        { 'x-amz-sdk-checksum-algorithm': 'CRC32', 'x-amz-checksum-sha1': checksumOf('sha1', otherBody) },
        '400 BadDigest',
      ],
      [{ 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-crc32c': 'AAAAAA==' }, '400 InvalidRequest'],
      [{ 'x-amz-decoded-content-length': '3' }, '400 InvalidRequest'],
      [{ 'x-amz-trailer': 'x-amz-checksum-crc32' }, '400 InvalidRequest'],
    ];
    for (const body of bodies) {
      for (const [headers, outcome] of rows) {
        const name = `${JSON.stringify(headers)} with ${body.length} bytes`;
        assert.equal((await suite.s3.put('bucket', 'victim', body, headers)).outcome, outcome, name);
        await assertUntouched(name);
      }
    }
  });

  it('is refused by the checksum behind it', async () => {
    for (const body of bodies) {
      for (const name of checksumNames) {
        for (const isSigned of [false, true]) {
          const trailer = { name: `x-amz-checksum-${name}`, value: checksumOf(name, otherBody) };
          const put = { bucket: 'bucket', key: 'victim', chunks: inChunks(body, 65_536), isSigned, trailer };
          const refused = await streamingPut(suite.s3, put);
          assert.equal(refused.outcome, '400 BadDigest', `${name} ${isSigned}`);
          await assertUntouched(`${name} ${isSigned}`);
          const broken = await streamingPut(suite.s3, { ...put, trailer: { ...trailer, value: 'AA' } });
          assert.equal(broken.outcome, '400 InvalidRequest');
          await assertUntouched(`${name} ${isSigned}`);
        }
      }
    }
  });

  it('is refused by a signature within it', async () => {
    const trailer = { name: 'x-amz-checksum-crc32c', value: checksum('crc32c', bodies[1]) };
    const chunks = inChunks(bodies[1], 65_536);
    const last = chunks.length;
    const rows: readonly (readonly [what: string, put: Partial<StreamingPut>])[] = [
      ...[0, 1, last - 1, last].map(
        (index) => [`chunk ${index}`, { tamper: flip(`chunk ${index} signature`) }] as const,
      ),
      ...[0, 1, last - 1, last].map(
        (index) => [`chunk ${index}`, { tamper: flip(`chunk ${index} signature`), trailer }] as const,
      ),
      ['trailer signature', { trailer, tamper: flip('trailer signature') }],
      [
        'trailer changed behind its signature',
        { trailer, rewrite: (body) => replaced(body, `${trailer.name}:${trailer.value}`, `${trailer.name}:AAAAAA==`) },
      ],
      ['a byte of data', { rewrite: (body) => flippedAt(body, 100_000) }],
      ['two chunks exchanged', { rewrite: exchangedChunks }],
    ];
    for (const [what, change] of rows) {
      const put = { bucket: 'bucket', key: 'victim', chunks, isSigned: true, ...change };
      assert.equal((await streamingPut(suite.s3, put)).outcome, '403 SignatureDoesNotMatch', what);
      await assertUntouched(what);
    }
  });

  it('is refused by framing that is broken', async () => {
    const [, body] = bodies;
    const trailer = { name: 'x-amz-checksum-crc32c', value: checksum('crc32c', body) };
    const put = { bucket: 'bucket', key: 'victim', chunks: inChunks(body, 65_536), isSigned: false, trailer };
    const rows: readonly (readonly [outcome: string, change: Partial<StreamingPut>])[] = [
      ['400 IncompleteBody', { headers: { 'x-amz-decoded-content-length': String(body.length - 1) } }],
      ['400 IncompleteBody', { headers: { 'x-amz-decoded-content-length': String(body.length + 1) } }],
      ['400 IncompleteBody', { headers: { 'x-amz-decoded-content-length': '0' } }],
      ['400 InvalidArgument', { headers: { 'x-amz-decoded-content-length': '-1' } }],
      ['400 InvalidArgument', { headers: { 'x-amz-decoded-content-length': '1e5' } }],
      ['400 IncompleteBody', { rewrite: withoutLast(2) }],
      ['400 IncompleteBody', { rewrite: withoutLast(40) }],
      ['400 IncompleteBody', { rewrite: withoutLast(1000) }],
      ['400 IncompleteBody', { rewrite: (encoded) => encoded.subarray(0, 100) }],
      ['400 InvalidChunkSizeError', { rewrite: (encoded) => replaced(encoded, '10000\r\n', '1zzzz\r\n') }],
      ['400 InvalidChunkSizeError', { rewrite: (encoded) => replaced(encoded, '10000\r\n', '-0001\r\n') }],
      ['400 IncompleteBody', { rewrite: (encoded) => replaced(encoded, '10000\r\n', 'ffffffffffffff\r\n') }],
      ['400 MalformedTrailerError', { rewrite: (encoded) => replaced(encoded, trailer.name, 'x-amz-checksum-crc32x') }],
      [
        '400 MalformedTrailerError',
        { rewrite: (encoded) => replaced(encoded, `\r\n${trailer.name}:`, `\r\nx-amz-acl:public\r\n${trailer.name}:`) },
      ],
      [
        '400 MalformedTrailerError',
        { rewrite: (encoded) => replaced(encoded, `${trailer.name}:${trailer.value}\r\n`, '') },
      ],
      ['400 InvalidRequest', { headers: { 'x-amz-trailer': 'x-amz-meta-smuggled' } }],
      // Bytes behind the end of the coding, within the announced length.
      [
        '400 MalformedTrailerError',
        { rewrite: (encoded) => Buffer.concat([encoded, Buffer.from('0\r\n\r\nmore\r\n\r\n')]) },
      ],
    ];
    for (const [outcome, change] of rows) {
      const name = `${outcome} ${JSON.stringify(change.headers)} ${String(change.rewrite)}`;
      assert.equal((await streamingPut(suite.s3, { ...put, ...change })).outcome, outcome, name);
      await assertUntouched(name);
    }
  });

  it('is not stored when it ends too early', async () => {
    for (const body of bodies) {
      const { s3, gateway } = suite;
      const request = { method: 'PUT', bucket: 'bucket', key: 'victim', body };
      const headers = await signHeaders(s3.toSign(request), { credentials: s3.credentials });
      for (const sent of [0, 1, body.length - 1]) {
        using connection = await RawConnection.open(gateway.s3);
        connection.write(requestHead('PUT', targetOf(request), headers));
        connection.write(body.subarray(0, sent));
        connection.socket.end();
        await connection.closed();
        assert.equal(connection.receivedBytes, 0, 'nobody is there to be answered');
        await assertUntouched(`${sent} of ${body.length} bytes`);
      }
    }
  });

  it('is not stored with bytes that come behind it', async () => {
    const { s3, gateway } = suite;
    const body = Buffer.from('content');
    const request = { method: 'PUT', bucket: 'bucket', key: 'followed', body };
    const headers = await signHeaders(s3.toSign(request), { credentials: s3.credentials });
    using connection = await RawConnection.open(gateway.s3);
    connection.write(requestHead('PUT', targetOf(request), headers));
    connection.write(Buffer.concat([body, Buffer.from('and more')]));
    assert.equal((await connection.answer()).outcome, '200');
    // What follows is no request: the connection is of no more use.
    await connection.closed();
    assert.equal((await s3.get('bucket', 'followed')).text, 'content');
    await s3.delete('bucket', 'followed');
    await assertUntouched('followed');
  });

  it('but one that is, is stored: in every coding, with every checksum', async () => {
    const { s3 } = suite;
    for (const body of [Buffer.alloc(0), ...bodies]) {
      for (const size of [1, 8192, 65_536, 1_000_000].filter((size) => body.length / size < 1000)) {
        const chunks = inChunks(body, size);
        const plain = await streamingPut(s3, { bucket: 'bucket', key: 'good', chunks, isSigned: true });
        assert.equal(plain.outcome, '200', plain.text);
        assert.ok((await s3.get('bucket', 'good')).body.equals(body));
      }
      for (const name of checksumNames) {
        for (const isSigned of [true, false]) {
          const trailer = { name: `x-amz-checksum-${name}`, value: checksum(name, body) };
          const put = { bucket: 'bucket', key: 'good', chunks: inChunks(body, 65_536), isSigned, trailer };
          const stored = await streamingPut(s3, put);
          assert.deepEqual([stored.outcome, stored.headers[trailer.name]], ['200', trailer.value]);
          const got = await s3.get('bucket', 'good', { 'x-amz-checksum-mode': 'ENABLED' });
          assert.ok(got.body.equals(body));
          assert.equal(got.headers[trailer.name], trailer.value, 'sealed though it came last');
          assert.equal(got.headers['content-encoding'], undefined);
        }
      }
    }
    await s3.delete('bucket', 'good');
    await assertUntouched('good');
  });
});

function replaced(body: Buffer, from: string, to: string): Buffer {
  const at = body.indexOf(from);
  assert.ok(at >= 0, `${from} is not in the body`);
  return Buffer.concat([body.subarray(0, at), Buffer.from(to), body.subarray(at + from.length)]);
}

const flip = (wanted: string) => (what: string, text: string) =>
  what === wanted ? text.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) : text;

const withoutLast = (length: number) => (body: Buffer) => body.subarray(0, body.length - length);

function flippedAt(body: Buffer, at: number): Buffer {
  const changed = Buffer.from(body);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

/** The first two chunks of 64 KiB, each with its own signature, in the other order. */
function exchangedChunks(body: Buffer): Buffer {
  const [first, second] = [body.indexOf('10000;'), body.indexOf('10000;', 10)];
  const length = second - first;
  const one = body.subarray(first, second);
  const two = body.subarray(second, second + length);
  return Buffer.concat([two, one, body.subarray(second + length)]);
}
