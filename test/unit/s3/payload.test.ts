import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';

import { createChecksum, type ChecksumAlgorithm } from '../../../src/s3/checksum.ts';
import { declarePayload, decodePayload, type DecodedPayload, type EncodedPayload } from '../../../src/s3/payload.ts';
import { S3Error } from '../../../src/s3/s3-error.ts';
import { encodeChunked, exampleSigning, inPieces, ObservedStream } from './chunked-support.ts';
import { mixedReads } from '../../support/mixed-reads.ts';

const signing = exampleSigning('0'.repeat(64));
const text = 'The quick brown fox jumps over the lazy dog';
const data = Buffer.from(text);

/** Values of `text` from other implementations (zlib, the CRC RevEng calculator, coreutils, python-xxhash), base64. */
const known: Readonly<Record<ChecksumAlgorithm, string>> = {
  CRC32: Buffer.from('414fa339', 'hex').toString('base64'),
  CRC32C: Buffer.from('22620404', 'hex').toString('base64'),
  CRC64NVME: createChecksumOf('CRC64NVME'),
  MD5: Buffer.from('9e107d9d372bb6826bd81d3542a419d6', 'hex').toString('base64'),
  SHA1: Buffer.from('2fd4e1c67a2d28fced849ee1bb76e7391b93eb12', 'hex').toString('base64'),
  SHA256: Buffer.from('d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592', 'hex').toString('base64'),
  SHA512: Buffer.from(
    '07e547d9586f6a73f73fbac0435ed76951218fb7d0c8d788a309d785436bbb64' +
      '2e93a252a954f23912547d1e8a3b5ed6e1bfd7097821233fa0538f3db854fee6',
    'hex',
  ).toString('base64'),
  XXHASH128: Buffer.from('ddd650205ca3e7fa24a1cc2e3a8a7651', 'hex').toString('base64'),
  XXHASH3: Buffer.from('ce7d19a5418fb365', 'hex').toString('base64'),
  XXHASH64: Buffer.from('0b242d361fda71bc', 'hex').toString('base64'),
};

/** Its own test proves this algorithm against its definition. */
function createChecksumOf(algorithm: ChecksumAlgorithm): string {
  const checksum = createChecksum(algorithm);
  checksum.update(data);
  return checksum.digest().toString('base64');
}

const algorithms = Object.keys(known).filter((name): name is ChecksumAlgorithm => name in known);
const md5 = createHash('md5').update(data).digest('base64');
const sha256Hex = createHash('sha256').update(data).digest('hex');
const wrong: Readonly<Record<ChecksumAlgorithm, string>> = {
  CRC32: 'AAAAAA==',
  CRC32C: 'AAAAAA==',
  CRC64NVME: 'AAAAAAAAAAA=',
  MD5: Buffer.alloc(16).toString('base64'),
  SHA1: Buffer.alloc(20).toString('base64'),
  SHA256: Buffer.alloc(32).toString('base64'),
  SHA512: Buffer.alloc(64).toString('base64'),
  XXHASH128: Buffer.alloc(16).toString('base64'),
  XXHASH3: Buffer.alloc(8).toString('base64'),
  XXHASH64: Buffer.alloc(8).toString('base64'),
};

function refused(code: string, message?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof S3Error, String(error));
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  };
}

function plain(headers: Record<string, string> = {}, more: Partial<EncodedPayload> = {}): DecodedPayload {
  return decodePayload({
    declaration: { kind: 'unsigned' },
    headers,
    body: new ObservedStream([data]),
    signing,
    contentLength: data.length,
    ...more,
  });
}

function streaming(
  encoded: Uint8Array,
  headers: Record<string, string> = {},
  more: Partial<EncodedPayload> = {},
): DecodedPayload {
  return decodePayload({
    declaration: declarePayload('STREAMING-UNSIGNED-PAYLOAD-TRAILER'),
    headers: { 'x-amz-decoded-content-length': String(data.length), ...headers },
    body: new ObservedStream([encoded]),
    signing,
    contentLength: encoded.length,
    ...more,
  });
}

/** All pieces until the end or the error. */
async function read(payload: DecodedPayload): Promise<{ readonly bytes: Buffer; readonly error: unknown }> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of mixedReads(payload.plaintext)) pieces.push(piece);
  } catch (error) {
    return { bytes: Buffer.concat(pieces), error };
  }
  return { bytes: Buffer.concat(pieces), error: undefined };
}

async function assertReads(payload: DecodedPayload): Promise<void> {
  const { bytes, error } = await read(payload);
  assert.equal(error, undefined);
  assert.equal(bytes.toString(), text);
}

/** The error comes at the end of iteration, and not all of the plaintext before it. */
async function assertFails(payload: DecodedPayload, code: string): Promise<void> {
  const { bytes, error } = await read(payload);
  refused(code)(error);
  assert.ok(bytes.length < payload.plaintextBytes, 'the last bytes are kept back');
  assert.deepEqual(payload.checksums(), []);
  assert.equal(payload.md5(), undefined);
}

describe('declarePayload', () => {
  it('knows what S3 knows', () => {
    assert.deepEqual(declarePayload(sha256Hex), { kind: 'signed', sha256Hex });
    assert.deepEqual(declarePayload(sha256Hex.toUpperCase()), { kind: 'signed', sha256Hex });
    assert.deepEqual(declarePayload('UNSIGNED-PAYLOAD'), { kind: 'unsigned' });
    const streams = [
      ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', false, true],
      ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', true, false],
      ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', true, true],
    ] as const;
    for (const [value, signed, trailer] of streams) {
      assert.deepEqual(declarePayload(value), { kind: 'streaming', signed, trailer });
    }
  });

  it('refuses the rest', () => {
    for (const value of [
      '',
      'unsigned-payload',
      'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
      sha256Hex.slice(1),
      `${sha256Hex}0`,
    ]) {
      assert.throws(() => declarePayload(value), refused('InvalidArgument'));
    }
  });
});

describe('decodePayload: a body as it is', () => {
  it('asks for nothing where nothing is declared', async () => {
    const payload = plain();
    assert.equal(payload.plaintextBytes, data.length);
    await assertReads(payload);
    assert.deepEqual(payload.checksums(), []);
    assert.equal(payload.md5(), undefined);
  });

  it('verifies the declared SHA-256', async () => {
    await assertReads(plain({}, { declaration: { kind: 'signed', sha256Hex } }));
    await assertFails(
      plain({}, { declaration: { kind: 'signed', sha256Hex: '0'.repeat(64) } }),
      'XAmzContentSHA256Mismatch',
    );
  });

  it('verifies Content-MD5', async () => {
    const payload = plain({ 'content-md5': md5 });
    assert.equal(payload.md5(), undefined);
    await assertReads(payload);
    assert.equal(payload.md5()?.toString('base64'), md5);
    await assertFails(plain({ 'content-md5': Buffer.alloc(16).toString('base64') }), 'BadDigest');
    for (const malformed of ['', 'x', md5.slice(0, -1), `${md5}=`, sha256Hex.slice(0, 32)]) {
      assert.throws(() => plain({ 'content-md5': malformed }), refused('InvalidDigest'));
    }
  });

  for (const algorithm of algorithms) {
    it(`verifies ${algorithm} in a header`, async () => {
      const name = `x-amz-checksum-${algorithm.toLowerCase()}`;
      const payload = plain({ [name]: known[algorithm], 'x-amz-sdk-checksum-algorithm': algorithm });
      const checksum = { algorithm, value: Buffer.from(known[algorithm], 'base64'), source: 'header' };
      assert.deepEqual(payload.declaredChecksums(), [checksum]);
      assert.deepEqual(payload.checksums(), []);
      await assertReads(payload);
      assert.deepEqual(payload.checksums(), [checksum]);
      await assertFails(plain({ [name]: wrong[algorithm] }), 'BadDigest');
      assert.throws(
        () => plain({ [name]: 'AAAA' }),
        refused('InvalidRequest', new RegExp(`^Value for ${name} header is invalid`)),
      );
    });
  }

  it('verifies all that is given together', async () => {
    const headers = { 'content-md5': md5, 'x-amz-checksum-sha256': known.SHA256 };
    await assertReads(plain(headers, { declaration: { kind: 'signed', sha256Hex } }));
    await assertFails(
      plain({ ...headers, 'x-amz-checksum-sha256': wrong.SHA256 }, { declaration: { kind: 'signed', sha256Hex } }),
      'BadDigest',
    );
    await assertFails(
      plain(headers, { declaration: { kind: 'signed', sha256Hex: '0'.repeat(64) } }),
      'XAmzContentSHA256Mismatch',
    );
  });

  it('takes one checksum, of an algorithm that it knows and that fits the one named', () => {
    const both = { 'x-amz-checksum-crc32': known.CRC32, 'x-amz-checksum-sha1': known.SHA1 };
    assert.throws(() => plain(both), refused('InvalidRequest', /single x-amz-checksum- header/));
    assert.throws(() => plain({ 'x-amz-checksum-md4': 'AAAA' }), refused('NotImplemented'));
    assert.throws(
      () => plain({ 'x-amz-sdk-checksum-algorithm': 'CRC32' }),
      refused('InvalidRequest', /no corresponding/),
    );
    assert.throws(() => plain({ 'x-amz-sdk-checksum-algorithm': 'CRC16' }), refused('InvalidRequest', /is invalid/));
    assert.throws(
      () => plain({ 'x-amz-sdk-checksum-algorithm': 'SHA1', 'x-amz-checksum-crc32': known.CRC32 }),
      refused('BadDigest'),
    );
    plain({
      'x-amz-checksum-algorithm': 'CRC32',
      'x-amz-checksum-type': 'FULL_OBJECT',
      'x-amz-checksum-mode': 'ENABLED',
    });
  });

  it('leaves checksums alone that speak of something else', async () => {
    const payload = plain(
      { 'x-amz-checksum-crc32': wrong.CRC32, 'x-amz-checksum-sha1': 'x', 'x-amz-sdk-checksum-algorithm': 'CRC32' },
      { verifyChecksumHeaders: false },
    );
    await assertReads(payload);
    assert.deepEqual(payload.declaredChecksums(), []);
  });

  it('holds to the length', async () => {
    assert.throws(() => plain({}, { contentLength: undefined }), refused('MissingContentLength'));
    await assertFails(plain({}, { contentLength: data.length + 1 }), 'IncompleteBody');
    await assertFails(plain({}, { contentLength: data.length - 1 }), 'IncompleteBody');
    await assertFails(
      plain({}, { contentLength: 3, body: new ObservedStream([data.subarray(0, 3), data]) }),
      'IncompleteBody',
    );
    const empty = plain({}, { contentLength: 0, body: new ObservedStream([Buffer.alloc(0)]) });
    assert.deepEqual(await read(empty), { bytes: Buffer.alloc(0), error: undefined });
  });

  it('verifies a body of no bytes as well', async () => {
    const wrongOne = plain({ 'content-md5': md5 }, { contentLength: 0, body: new ObservedStream([]) });
    refused('BadDigest')((await read(wrongOne)).error);
    const rightOne = plain({ 'x-amz-checksum-crc32': 'AAAAAA==' }, { contentLength: 0, body: new ObservedStream([]) });
    assert.equal((await read(rightOne)).error, undefined);
  });

  it('does not store a chunked body under a wrong declaration', () => {
    assert.throws(() => plain({ 'x-amz-decoded-content-length': '5' }), refused('InvalidRequest'));
    assert.throws(() => plain({ 'x-amz-trailer': 'x-amz-checksum-crc32' }), refused('InvalidRequest'));
    plain({ 'x-amz-decoded-content-length': String(data.length) });
  });
});

describe('decodePayload: the stream', () => {
  it('keeps back only the last piece, until the body has ended', async () => {
    const source = new ObservedStream([...inPieces(data, 10), Buffer.alloc(0)]);
    const iterator = plain({ 'content-md5': md5 }, { body: source }).plaintext[Symbol.asyncIterator]();
    const taken: number[] = [];
    for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) taken.push(source.taken);
    assert.deepEqual(taken, [1, 2, 3, 4, 6]);
  });

  it('releases the body when it is left early, also before the first step', async () => {
    for (const steps of [0, 1]) {
      const source = new ObservedStream(inPieces(data, 10));
      const iterator = plain({}, { body: source }).plaintext[Symbol.asyncIterator]();
      for (let step = 0; step < steps; step++) await iterator.next();
      await iterator.return?.();
      assert.equal(source.closed, true);
      assert.deepEqual(await iterator.next(), { done: true, value: undefined });
    }
  });

  it('releases the body on an error, and passes on those of the body', async () => {
    const source = new ObservedStream([Buffer.from('zz\r\n'), data]);
    refused('InvalidChunkSizeError')((await read(streaming(data, {}, { body: source }))).error);
    assert.equal(source.closed, true);
    const failure = new Error('connection reset');
    const broken = new ObservedStream([data.subarray(0, 3)], failure);
    assert.equal((await read(plain({}, { body: broken }))).error, failure);
    assert.equal(broken.closed, false);
  });
});

describe('decodePayload: chunked bodies', () => {
  for (const algorithm of algorithms) {
    for (const isSigned of [false, true]) {
      it(`verifies ${algorithm} in a trailer, signed ${isSigned}`, async () => {
        const name = `x-amz-checksum-${algorithm.toLowerCase()}`;
        const declaration = { kind: 'streaming', signed: isSigned, trailer: true } as const;
        const send = (value: string): DecodedPayload => {
          const options = { chunks: inPieces(data, 20), trailer: { name, value } };
          const { bytes } = encodeChunked(isSigned ? { ...options, signing } : options);
          return streaming(
            bytes,
            { 'x-amz-trailer': name, 'x-amz-sdk-checksum-algorithm': algorithm },
            { declaration },
          );
        };
        const payload = send(known[algorithm]);
        assert.equal(payload.plaintextBytes, data.length);
        assert.deepEqual(payload.declaredChecksums(), []);
        await assertReads(payload);
        assert.deepEqual(payload.checksums(), [
          { algorithm, value: Buffer.from(known[algorithm], 'base64'), source: 'trailer' },
        ]);
        await assertFails(send(wrong[algorithm]), 'BadDigest');
        await assertFails(send('AAAA'), 'InvalidRequest');
      });
    }
  }

  it('verifies headers on the plaintext', async () => {
    const { bytes } = encodeChunked({ chunks: [data] });
    await assertReads(streaming(bytes, { 'content-md5': md5, 'x-amz-checksum-crc32': known.CRC32 }));
    await assertFails(streaming(bytes, { 'x-amz-checksum-crc32': wrong.CRC32 }), 'BadDigest');
  });

  it('verifies chunk signatures', async () => {
    const declaration = declarePayload('STREAMING-AWS4-HMAC-SHA256-PAYLOAD');
    const { bytes } = encodeChunked({ chunks: inPieces(data, 20), signing });
    await assertReads(streaming(bytes, {}, { declaration }));
    const otherSeed = exampleSigning('1'.repeat(64));
    await assertFails(streaming(bytes, {}, { declaration, signing: otherSeed }), 'SignatureDoesNotMatch');
    const broken = Buffer.from(bytes.toString('latin1').replace('lazy', 'hazy'), 'latin1');
    await assertFails(streaming(broken, {}, { declaration }), 'SignatureDoesNotMatch');
  });

  it('refuses headers that do not fit', () => {
    for (const value of ['', '-1', '1.5', '1e3', '0x10', '99999999999999999', 'x']) {
      const headers = { 'x-amz-decoded-content-length': value };
      assert.throws(() => streaming(data, headers), refused('InvalidArgument'), value);
    }
    assert.throws(
      () => plain({}, { declaration: { kind: 'streaming', signed: false, trailer: true } }),
      refused('MissingContentLength'),
    );
    for (const value of ['', 'x-amz-meta-a', 'x-amz-checksum-md4', 'x-amz-checksum-crc32,x-amz-checksum-sha1']) {
      assert.throws(() => streaming(data, { 'x-amz-trailer': value }), refused('InvalidRequest'), value);
    }
    assert.throws(
      () => streaming(data, { 'x-amz-trailer': 'x-amz-checksum-crc32', 'x-amz-checksum-sha1': known.SHA1 }),
      refused('InvalidRequest'),
    );
    assert.throws(
      () =>
        streaming(
          data,
          { 'x-amz-trailer': 'x-amz-checksum-crc32' },
          { declaration: { kind: 'streaming', signed: true, trailer: false } },
        ),
      refused('InvalidRequest'),
    );
  });
});
