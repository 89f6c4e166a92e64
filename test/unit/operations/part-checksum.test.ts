import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';

import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import {
  checksumToken,
  md5Token,
  readChecksumToken,
  readMd5Token,
  type PartChecksum,
} from '../../../src/operations/part-checksum.ts';

const attempt = { partNumber: 7, attemptTag: '0123456789abcdef' };

const checksums: readonly PartChecksum[] = [
  { algorithm: 'CRC32', value: Buffer.from('cbf43926', 'hex') },
  { algorithm: 'CRC32C', value: Buffer.from('e3069283', 'hex') },
  { algorithm: 'CRC64NVME', value: Buffer.from('ae8b14860a799888', 'hex') },
  { algorithm: 'SHA1', value: createHash('sha1').update('123456789').digest() },
  { algorithm: 'SHA256', value: createHash('sha256').update('123456789').digest() },
];

describe('the token of a part’s checksum', () => {
  for (const checksum of checksums) {
    it(`carries ${checksum.algorithm}, whichever replica reads it`, () => {
      using secrets = ObjectSecrets.generate();
      using elsewhere = secrets.clone();
      const token = checksumToken(secrets, attempt, checksum);
      const read = readChecksumToken(elsewhere, attempt, token);
      assert.equal(read?.algorithm, checksum.algorithm);
      assert.equal(Buffer.compare(read?.value ?? Buffer.alloc(0), checksum.value), 0);
      // As part ETags take it apart.
      assert.match(token, /^[1-5](?:[0-9a-f]{2}){12,}$/);
    });

    it(`is refused with any digit of ${checksum.algorithm} changed`, () => {
      using secrets = ObjectSecrets.generate();
      const token = checksumToken(secrets, attempt, checksum);
      for (let place = 0; place < token.length; place++) {
        const digit = token[place] === '1' ? '2' : '1';
        const changed = `${token.slice(0, place)}${digit}${token.slice(place + 1)}`;
        assert.equal(readChecksumToken(secrets, attempt, changed), undefined, `digit ${place}`);
      }
    });
  }

  it('is of one attempt of one part of one upload', () => {
    using secrets = ObjectSecrets.generate();
    using others = ObjectSecrets.generate();
    const [checksum] = checksums;
    assert.ok(checksum !== undefined);
    const token = checksumToken(secrets, attempt, checksum);
    assert.equal(readChecksumToken(others, attempt, token), undefined);
    assert.equal(readChecksumToken(secrets, { ...attempt, partNumber: 8 }, token), undefined);
    assert.equal(readChecksumToken(secrets, { ...attempt, attemptTag: '0123456789abcdee' }, token), undefined);
  });

  it('is refused where it is none', () => {
    using secrets = ObjectSecrets.generate();
    for (const token of [
      '',
      '0',
      '1',
      '6'.repeat(25),
      '1'.repeat(25),
      '1'.repeat(27),
      '5'.repeat(81),
      '9'.repeat(1001),
    ]) {
      assert.equal(readChecksumToken(secrets, attempt, token), undefined, token.slice(0, 30));
    }
  });
});

function hexOf(bytes: Uint8Array = Buffer.alloc(0)): string {
  return Buffer.from(bytes).toString('hex');
}

describe('the token of a part’s MD5', () => {
  const md5 = createHash('md5').update('123456789').digest();

  it('carries it, whichever replica reads it, and is refused with any digit changed', () => {
    using secrets = ObjectSecrets.generate();
    using elsewhere = secrets.clone();
    const token = md5Token(secrets, attempt, md5);
    assert.match(token, /^25f9e794323b453885f5181f1b624d0b[0-9a-f]{16}$/);
    assert.equal(Buffer.compare(readMd5Token(elsewhere, attempt, token) ?? Buffer.alloc(0), md5), 0);
    for (let place = 0; place < token.length; place++) {
      const digit = token[place] === '1' ? '2' : '1';
      const changed = `${token.slice(0, place)}${digit}${token.slice(place + 1)}`;
      assert.equal(readMd5Token(secrets, attempt, changed), undefined, `digit ${place}`);
    }
  });

  it('is of one attempt of one part of one upload, and of no checksum', () => {
    using secrets = ObjectSecrets.generate();
    using others = ObjectSecrets.generate();
    const token = md5Token(secrets, attempt, md5);
    assert.equal(readMd5Token(others, attempt, token), undefined);
    assert.equal(readMd5Token(secrets, { ...attempt, partNumber: 8 }, token), undefined);
    assert.equal(readMd5Token(secrets, { ...attempt, attemptTag: '0123456789abcdee' }, token), undefined);
    for (const digit of '12345789a') assert.equal(readChecksumToken(secrets, attempt, `${digit}${token}`), undefined);
    // An MD5 that the client asked for as its checksum says the same of the same part.
    const asChecksum = readChecksumToken(secrets, attempt, `6${token}`);
    assert.deepEqual([asChecksum?.algorithm, hexOf(asChecksum?.value)], ['MD5', hexOf(md5)]);
    for (const cut of ['', token.slice(2), `${token}00`]) assert.equal(readMd5Token(secrets, attempt, cut), undefined);
  });
});
