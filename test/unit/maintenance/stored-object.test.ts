import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';

import { streamOf } from '../../../src/base/streams.ts';
import { encodeEnvelope, sealEnvelope, type SealedChecksum } from '../../../src/envelope/envelope.ts';
import { buildIndexRegion, contiguousRegion } from '../../../src/envelope/object-index.ts';
import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { encryptObject, encryptPart } from '../../../src/envelope/object-writer.ts';
import { storedSize } from '../../../src/envelope/sizes.ts';
import { StoredObject, type StoredBytes } from '../../../src/maintenance/stored-object.ts';

const segmentSizeBytes = 65_536;
const suite = 'aes-256-gcm';

interface MadeObject {
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  readonly secrets: ObjectSecrets;
}

interface Wanted {
  /** What is encrypted; in several parts where the layout is multipart. */
  readonly payload: readonly Buffer[];
  readonly layout?: 'single' | 'multipart';
  readonly compression?: { readonly algorithm: 'gzip' | 'zstd'; readonly originalBytes: number };
  readonly earlyChecksums?: readonly SealedChecksum[];
  readonly lateChecksums?: readonly SealedChecksum[];
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Writes an object as the gateway does. */
async function make({ payload, layout = 'single', compression, ...sums }: Wanted): Promise<MadeObject> {
  const { earlyChecksums = [], lateChecksums = [] } = sums;
  const secrets = ObjectSecrets.generate();
  const whole = Buffer.concat(payload);
  const common = { secrets, suite, segmentSizeBytes } as const;
  let bytes: Buffer;
  let floeHeader: Uint8Array | undefined;
  if (layout === 'single') {
    const plaintextBytes = whole.length;
    const object = encryptObject({
      ...common,
      plaintext: streamOf(whole),
      plaintextBytes,
      checksums: () => lateChecksums,
    });
    ({ floeHeader } = object);
    bytes = await collect(object.body);
  } else {
    const messages: Buffer[] = [];
    const parts = [];
    for (const [index, part] of payload.entries()) {
      const partNumber = index + 1;
      const message = encryptPart({ ...common, partNumber, plaintext: streamOf(part), plaintextBytes: part.length });
      messages.push(await collect(message.body));
      parts.push({ partNumber, plaintextBytes: part.length, attemptTag: message.attemptTag });
    }
    const index = { totalPlaintextBytes: whole.length, parts, checksums: lateChecksums };
    bytes = Buffer.concat([
      ...messages,
      contiguousRegion(buildIndexRegion({ secrets, index, layout, segmentSizeBytes })),
    ]);
  }
  const envelope = sealEnvelope(
    {
      suite,
      segmentSizeBytes,
      layout,
      salt: secrets.salt,
      commitment: secrets.commitment,
      policy: 'p',
      kekName: 'k',
      kekVersion: '1',
      wrappedBucketKey: randomBytes(60),
      wrappedDek: randomBytes(60),
      ...(floeHeader === undefined ? {} : { floeHeader }),
    },
    {
      metadataDigest: randomBytes(32),
      checksums: earlyChecksums,
      ...(compression === undefined ? {} : { compression }),
    },
    secrets,
  );
  return { headers: { 'x-amz-meta-s3eg': encodeEnvelope(envelope) }, bytes, secrets };
}

async function neverCalled(): Promise<never> {
  assert.fail();
}

function storedBytes(bytes: Buffer): StoredBytes {
  return {
    sizeBytes: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    stream: () => streamOf(bytes.subarray(0, 100_000), bytes.subarray(100_000)),
  };
}

function open({ headers, bytes, secrets }: MadeObject): Promise<StoredObject> {
  return StoredObject.open({ headers, bytes: storedBytes(bytes), unwrap: async () => secrets.clone() });
}

async function decrypt(object: MadeObject): Promise<Buffer> {
  using opened = await open(object);
  return collect(opened.plaintext());
}

function checksum(algorithm: 'md5' | 'sha1' | 'sha256', bytes: Uint8Array): SealedChecksum {
  return { algorithm, type: 'full-object', value: createHash(algorithm).update(bytes).digest() };
}

describe('a stored object', () => {
  it('gives the plaintext of either layout', async () => {
    for (const length of [0, 1, segmentSizeBytes, 200_000]) {
      const payload = randomBytes(length);
      assert.ok((await decrypt(await make({ payload: [payload] }))).equals(payload), `single ${length}`);
    }
    const parts = [randomBytes(5_242_880), randomBytes(5_242_881), randomBytes(1)];
    const object = await make({ payload: parts, layout: 'multipart' });
    assert.ok((await decrypt(object)).equals(Buffer.concat(parts)));
    using opened = await open(object);
    assert.deepEqual(
      opened.layout.parts.map(({ plaintextBytes }) => plaintextBytes),
      [5_242_880, 5_242_881, 1],
    );
  });

  it('reads an index that is longer than the first reading in a second one', async () => {
    // The messages of so many parts would be 20 GiB; only the end of the object is read.
    const { headers, secrets } = await make({ payload: [Buffer.alloc(1)], layout: 'multipart' });
    const partBytes = 5_242_880;
    const parts = Array.from({ length: 4_000 }, (_, index) => {
      return { partNumber: index + 1, plaintextBytes: partBytes, attemptTag: randomBytes(8) };
    });
    const index = { totalPlaintextBytes: parts.length * partBytes, parts, checksums: [] };
    const region = contiguousRegion(buildIndexRegion({ secrets, index, layout: 'multipart', segmentSizeBytes }));
    const sizeBytes = storedSize(index.totalPlaintextBytes);
    const lengths: number[] = [];
    const bytes: StoredBytes = {
      sizeBytes,
      read: async (offset, length) => {
        lengths.push(length);
        const first = offset - (sizeBytes - region.length);
        assert.ok(first >= 0);
        return region.subarray(first, first + length);
      },
      stream: () => assert.fail(),
    };
    using opened = await StoredObject.open({ headers, bytes, unwrap: async () => secrets.clone() });
    assert.deepEqual(opened.index.parts, parts);
    assert.equal(lengths.length, 2);
    assert.ok((lengths[1] ?? 0) > 4_000 * 18);
  });

  it('fails where the source gives less than its size', async () => {
    const object = await make({ payload: [randomBytes(1_000)] });
    const source: StoredBytes = { ...storedBytes(object.bytes), read: async () => Buffer.alloc(10) };
    const unwrap = async () => object.secrets.clone();
    await assert.rejects(StoredObject.open({ headers: object.headers, bytes: source, unwrap }), { code: 'truncated' });
  });

  it('disposes of the secrets when it does not open', async () => {
    const object = await make({ payload: [randomBytes(1_000)] });
    const bytes = Buffer.from(object.bytes);
    bytes.writeUInt8(0, bytes.length - 1);
    const given = object.secrets.clone();
    const opening = StoredObject.open({
      headers: object.headers,
      bytes: storedBytes(bytes),
      unwrap: async () => given,
    });
    await assert.rejects(opening, { code: 'malformed' });
    assert.throws(() => given.dek.bytes);
  });

  it('has no envelope where the gateway did not encrypt it', async () => {
    const bytes = storedBytes(Buffer.alloc(416));
    await assert.rejects(StoredObject.open({ headers: {}, bytes, unwrap: neverCalled }), { code: 'not_format_1' });
    const headers = { 'x-amz-meta-s3eg': 'AA' };
    await assert.rejects(StoredObject.open({ headers, bytes, unwrap: neverCalled }), { code: 'unsupported' });
  });

  it('compares the plaintext with every checksum of the whole object, wherever it is sealed', async () => {
    const payload = randomBytes(100_000);
    const right = [checksum('md5', payload), checksum('sha256', payload)];
    assert.ok(
      (await decrypt(await make({ payload: [payload], earlyChecksums: right, lateChecksums: right }))).equals(payload),
    );
    for (const algorithm of ['md5', 'sha1', 'sha256'] as const) {
      const wrong = checksum(algorithm, randomBytes(1));
      for (const place of ['earlyChecksums', 'lateChecksums']) {
        const object = await make({ payload: [payload], [place]: [wrong] });
        await assert.rejects(decrypt(object), {
          code: 'checksum_mismatch',
          message: `the bytes do not have the ${algorithm.toUpperCase()} that was stored with them`,
        });
      }
    }
    const composite: SealedChecksum = { ...checksum('sha256', randomBytes(1)), type: 'composite' };
    assert.ok((await decrypt(await make({ payload: [payload], lateChecksums: [composite] }))).equals(payload));
  });

  it('knows the CRCs of S3', async () => {
    // Check values over "123456789": CRC-32, CRC-32C (RFC 3720), CRC-64/NVME.
    const known = { crc32: 'cbf43926', crc32c: 'e3069283', crc64nvme: 'ae8b14860a799888' } as const;
    for (const algorithm of ['crc32', 'crc32c', 'crc64nvme'] as const) {
      const value = Buffer.from(known[algorithm], 'hex');
      const payload = Buffer.from('123456789');
      const object = await make({ payload: [payload], lateChecksums: [{ algorithm, type: 'full-object', value }] });
      assert.ok((await decrypt(object)).equals(payload));
      const other = await make({
        payload: [Buffer.from('123456780')],
        lateChecksums: [{ algorithm, type: 'full-object', value }],
      });
      await assert.rejects(decrypt(other), { code: 'checksum_mismatch' });
    }
  });
});

describe('a compressed object', () => {
  const original = Buffer.from('some text that repeats itself. '.repeat(20_000));
  const compressed = { gzip: gzipSync(original), zstd: zstdCompressSync(original) } as const;

  for (const algorithm of ['gzip', 'zstd'] as const) {
    const compression = { algorithm, originalBytes: original.length };

    it(`gives the client's bytes back from ${algorithm}`, async () => {
      const object = await make({
        payload: [compressed[algorithm]],
        compression,
        earlyChecksums: [checksum('sha256', original)],
      });
      assert.ok((await decrypt(object)).equals(original));
      using opened = await open(object);
      assert.equal(opened.plaintextBytes, original.length);
    });

    it(`is refused where ${algorithm} gives another length, and stops there`, async () => {
      for (const originalBytes of [original.length - 1, original.length + 1, 0]) {
        const object = await make({ payload: [compressed[algorithm]], compression: { algorithm, originalBytes } });
        let gotBytes = 0;
        using opened = await open(object);
        const reading = (async () => {
          for await (const chunk of opened.plaintext()) gotBytes += chunk.length;
        })();
        await assert.rejects(reading, { code: 'size_mismatch' });
        assert.ok(gotBytes <= originalBytes);
      }
    });

    it(`is refused where the payload is no ${algorithm}, or only its beginning`, async () => {
      for (const payload of [Buffer.from('not compressed'), compressed[algorithm].subarray(0, -9), Buffer.alloc(0)]) {
        const object = await make({ payload: [payload], compression });
        await assert.rejects(decrypt(object), (error: unknown) => {
          return (
            error instanceof Error && 'code' in error && ['malformed', 'size_mismatch'].includes(String(error.code))
          );
        });
      }
    });

    it(`fails as any other does where its bytes were changed under ${algorithm}`, async () => {
      const object = await make({ payload: [compressed[algorithm]], compression });
      const bytes = Buffer.from(object.bytes);
      bytes.writeUInt8(bytes.readUInt8(120) ^ 1, 120);
      await assert.rejects(decrypt({ ...object, bytes }), { code: 'authentication_failed' });
    });
  }
});
