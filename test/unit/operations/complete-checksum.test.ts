import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';

import { checkObjectSize, completedChecksum, type NamedPart } from '../../../src/operations/complete-checksum.ts';
import { requestedUploadChecksum } from '../../../src/operations/upload-checksum.ts';
import type { ChecksumAlgorithm } from '../../../src/s3/checksum.ts';
import type { UploadChecksum } from '../../../src/uploads/upload-ledger.ts';

const pieces = ['first part', 'second', 'the third one'].map((text) => Buffer.from(text));
const whole = Buffer.concat(pieces);

function crcOf(bytes: Uint8Array): Buffer {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(crc32(bytes));
  return value;
}

const sha256Of = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

const valueOf = { CRC32: crcOf, SHA256: sha256Of } as const;

/** The pieces as parts whose checksums are known, named as the client names them. */
function partsOf(algorithm: keyof typeof valueOf, { named }: { readonly named: boolean }): NamedPart[] {
  return pieces.map((bytes, index) => {
    const value = valueOf[algorithm](bytes);
    const checksums = new Map(named ? [[`Checksum${algorithm}`, value.toString('base64')]] : []);
    return {
      requested: { partNumber: index + 1, etag: `"e${index}"`, checksums },
      lengthBytes: bytes.length,
      checksum: { algorithm, value },
    };
  });
}

/** The same parts with another value for the second one, under a name of the client's choice. */
function withSecond(parts: readonly NamedPart[], checksums: readonly (readonly [string, string])[]): NamedPart[] {
  return parts.map((part, index) =>
    index === 1 ? { ...part, requested: { ...part.requested, checksums: new Map(checksums) } } : part,
  );
}

const fullCrc: UploadChecksum = { algorithm: 'CRC32', type: 'FULL_OBJECT' };
const compositeCrc: UploadChecksum = { algorithm: 'CRC32', type: 'COMPOSITE' };
const compositeSha: UploadChecksum = { algorithm: 'SHA256', type: 'COMPOSITE' };

const compositeOf = (algorithm: keyof typeof valueOf): Buffer =>
  valueOf[algorithm](Buffer.concat(pieces.map(valueOf[algorithm])));

describe('the checksum of a completed upload', () => {
  it('is that of the whole object, combined from its parts', () => {
    for (const named of [true, false]) {
      const sealed = completedChecksum({}, fullCrc, partsOf('CRC32', { named }));
      assert.deepEqual(sealed, { algorithm: 'crc32', type: 'full-object', value: crcOf(whole) });
    }
  });

  it('is over the checksums of the parts where it is composite', () => {
    const crc = completedChecksum({}, compositeCrc, partsOf('CRC32', { named: true }));
    assert.deepEqual(crc, { algorithm: 'crc32', type: 'composite', value: compositeOf('CRC32') });
    const sha = completedChecksum({}, compositeSha, partsOf('SHA256', { named: true }));
    assert.deepEqual(sha, { algorithm: 'sha256', type: 'composite', value: compositeOf('SHA256') });
  });

  it('is none where the upload was created without one, whatever the client says', () => {
    assert.equal(completedChecksum({}, undefined, partsOf('CRC32', { named: true })), undefined);
    const headers = { 'x-amz-checksum-crc32': 'AAAAAA==' };
    assert.equal(completedChecksum(headers, undefined, partsOf('CRC32', { named: true })), undefined);
  });

  it('is none where a part’s checksum is only what the client says', () => {
    for (const upload of [fullCrc, compositeCrc]) {
      const parts = partsOf('CRC32', { named: true });
      const unknown = parts.map((part, index) => (index === 2 ? { ...part, checksum: undefined } : part));
      assert.equal(completedChecksum({}, upload, unknown), undefined);
      const headers = { 'x-amz-checksum-crc32': crcOf(whole).toString('base64') };
      assert.throws(() => completedChecksum(headers, upload, unknown), { code: 'InvalidRequest' });
    }
  });

  it('is held against the one in the request’s header', () => {
    const full = crcOf(whole).toString('base64');
    const composite = compositeOf('CRC32').toString('base64');
    const rows: readonly (readonly [UploadChecksum, Record<string, string>, string | undefined])[] = [
      [fullCrc, { 'x-amz-checksum-crc32': full }, undefined],
      [fullCrc, { 'x-amz-checksum-crc32': full, 'x-amz-checksum-type': 'FULL_OBJECT' }, undefined],
      [fullCrc, { 'x-amz-checksum-crc32': composite }, 'BadDigest'],
      [fullCrc, { 'x-amz-checksum-crc32': `${full}-3` }, 'InvalidRequest'],
      [fullCrc, { 'x-amz-checksum-crc32': 'short' }, 'InvalidRequest'],
      [fullCrc, { 'x-amz-checksum-type': 'COMPOSITE' }, 'InvalidRequest'],
      [fullCrc, { 'x-amz-checksum-type': 'PARTIAL' }, 'InvalidRequest'],
      [fullCrc, { 'x-amz-checksum-sha1': 'x' }, 'InvalidRequest'],
      [fullCrc, { 'x-amz-checksum-crc32': full, 'x-amz-checksum-crc32c': full }, 'InvalidRequest'],
      [compositeCrc, { 'x-amz-checksum-crc32': composite }, undefined],
      [compositeCrc, { 'x-amz-checksum-crc32': `${composite}-3` }, undefined],
      [compositeCrc, { 'x-amz-checksum-crc32': `${composite}-4` }, 'BadDigest'],
      [compositeCrc, { 'x-amz-checksum-crc32': full }, 'BadDigest'],
    ];
    for (const [upload, headers, code] of rows) {
      const run = (): unknown => completedChecksum(headers, upload, partsOf('CRC32', { named: true }));
      if (code === undefined) run();
      else assert.throws(run, { code, status: 400 }, JSON.stringify(headers));
    }
    assert.throws(() => completedChecksum({ 'x-amz-checksum-type': 'COMPOSITE' }, undefined, []), {
      code: 'InvalidRequest',
      message: /created using the null checksum mode/,
    });
  });

  it('wants of a composite the checksum of every part', () => {
    assert.throws(() => completedChecksum({}, compositeSha, partsOf('SHA256', { named: false })), {
      code: 'InvalidRequest',
      message: /created using a sha256 checksum.*missing for part 1/,
    });
  });

  it('refuses parts that the client names with another checksum', () => {
    const parts = partsOf('CRC32', { named: true });
    const rows: readonly (readonly [readonly (readonly [string, string])[], string])[] = [
      [[['ChecksumCRC32', 'AAAAAA==']], 'InvalidPart'],
      [[['ChecksumCRC32C', 'AAAAAA==']], 'BadDigest'],
      [[['ChecksumCRC32', 'invalid']], 'InvalidArgument'],
      [
        [
          ['ChecksumCRC32', 'AAAAAA=='],
          ['ChecksumSHA1', 'x'],
        ],
        'InvalidArgument',
      ],
    ];
    for (const upload of [fullCrc, compositeCrc]) {
      for (const [checksums, code] of rows) {
        assert.throws(() => completedChecksum({}, upload, withSecond(parts, checksums)), { code }, code);
      }
    }
  });
});

describe('the size of a completed upload', () => {
  it('is held against x-amz-mp-object-size', () => {
    checkObjectSize({}, 7);
    checkObjectSize({ 'x-amz-mp-object-size': '7' }, 7);
    for (const size of ['8', '-7', 'seven', '']) {
      assert.throws(() => checkObjectSize({ 'x-amz-mp-object-size': size }, 7), { code: 'InvalidRequest' }, size);
    }
  });
});

const asked = (algorithm?: string, type?: string): UploadChecksum | undefined =>
  requestedUploadChecksum({ 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': type });

describe('the checksum that an upload is created for', () => {
  it('has the types that S3 gives each algorithm', () => {
    const table: readonly (readonly [ChecksumAlgorithm, UploadChecksum['type'], readonly UploadChecksum['type'][]])[] =
      [
        ['CRC32', 'COMPOSITE', ['COMPOSITE', 'FULL_OBJECT']],
        ['CRC32C', 'COMPOSITE', ['COMPOSITE', 'FULL_OBJECT']],
        ['CRC64NVME', 'FULL_OBJECT', ['FULL_OBJECT']],
        ['SHA1', 'COMPOSITE', ['COMPOSITE']],
        ['SHA256', 'COMPOSITE', ['COMPOSITE']],
      ];
    for (const [algorithm, byDefault, allowed] of table) {
      assert.deepEqual(asked(algorithm), { algorithm, type: byDefault });
      for (const type of ['COMPOSITE', 'FULL_OBJECT'] as const) {
        if (allowed.includes(type)) assert.deepEqual(asked(algorithm, type), { algorithm, type });
        else assert.throws(() => asked(algorithm, type), { code: 'InvalidRequest' });
      }
    }
  });

  it('is refused where S3 knows no such', () => {
    assert.equal(asked(), undefined);
    assert.throws(() => asked(undefined, 'COMPOSITE'), { code: 'InvalidRequest', message: /only be used with/ });
    assert.throws(() => asked('CRC32', 'PARTIAL'), { code: 'InvalidRequest' });
    assert.throws(() => asked('MD4'), { code: 'InvalidRequest', message: /unsupported/ });
  });
});
