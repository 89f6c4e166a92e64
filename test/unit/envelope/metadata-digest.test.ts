import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { envelopeHeader, keyLabelHeader, metadataDigest } from '../../../src/envelope/metadata-digest.ts';

/** The digest of the document over fields that are in canonical form and in order already. */
function documented(fields: readonly (readonly [string, string | Uint8Array])[]): string {
  const parts: Uint8Array[] = [Buffer.from('s3eg1 metadata')];
  for (const field of fields.flat()) {
    const bytes = Buffer.from(field);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  }
  return createHash('sha256').update(Buffer.concat(parts)).digest('hex');
}

function digestOf(headers: Readonly<Record<string, string>>): string {
  return Buffer.from(metadataDigest(headers)).toString('hex');
}

/** A value as node:http shows it: one character for each byte. */
const raw = (bytes: string | Uint8Array) => Buffer.from(bytes).toString('latin1');

/** A value in printable ASCII, for the name of a test. */
function shown(bytes: string | Uint8Array): string {
  return `"${raw(bytes).replaceAll(/[^ -~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;
}

const type = ['content-type', 'binary/octet-stream'] as const;

describe('fields of the metadata digest', () => {
  it('are user metadata and Content-Type, in the order of their names (F1-DIG-1, F1-DIG-3)', () => {
    const headers = {
      'x-amz-meta-b': '2',
      'content-type': 'text/plain',
      'x-amz-meta-a': '1',
      'x-amz-meta-a-b': '3',
      etag: '"e"',
      'cache-control': 'no-store',
      'x-amz-metadata': 'none',
      'x-amz-meta': 'none',
    };
    const expected = documented([
      ['content-type', 'text/plain'],
      ['x-amz-meta-a', '1'],
      ['x-amz-meta-a-b', '3'],
      ['x-amz-meta-b', '2'],
    ]);
    assert.equal(digestOf(headers), expected);
    assert.equal(digestOf(Object.fromEntries(Object.entries(headers).toReversed())), expected);
  });

  it('have a Content-Type even where the object has none (F1-DIG-1)', () => {
    assert.equal(digestOf({}), documented([type]));
    assert.equal(digestOf({ 'content-type': 'binary/octet-stream' }), documented([type]));
    assert.notEqual(digestOf({ 'content-type': '' }), documented([type]));
  });

  it('are not the gateway’s own two, but any that only look like them (F1-DIG-1)', () => {
    const own = { [envelopeHeader]: 'AAAA', [keyLabelHeader]: 'local:1', 'X-Amz-Meta-S3eg': 'BBBB' };
    assert.equal(digestOf(own), documented([type]));
    assert.equal(digestOf({ 'x-amz-meta-s3eg-keys': 'v' }), documented([type, ['x-amz-meta-s3eg-keys', 'v']]));
    assert.equal(digestOf({ 'x-amz-meta-s3e': 'v' }), documented([type, ['x-amz-meta-s3e', 'v']]));
  });

  it('have names in lower case, of which only A to Z are changed (F1-DIG-1)', () => {
    assert.equal(digestOf({ 'X-AMZ-META-Who': 'Me' }), documented([type, ['x-amz-meta-who', 'Me']]));
    const name = Buffer.from('x-amz-meta-\xc9', 'latin1');
    const expected = documented([type]).length;
    assert.equal(digestOf({ 'X-amz-meta-\xc9': '' }).length, expected);
    assert.equal(digestOf({ 'X-amz-meta-\xc9': '' }), documentedRaw(name));
  });

  it('cannot be cut elsewhere (F1-DIG-3)', () => {
    assert.notEqual(digestOf({ 'x-amz-meta-a': 'bc' }), digestOf({ 'x-amz-meta-ab': 'c' }));
    assert.notEqual(digestOf({ 'x-amz-meta-a': 'b', 'x-amz-meta-c': '' }), digestOf({ 'x-amz-meta-a': 'b' }));
  });
});

/** As `documented`, with one empty field whose name is given in bytes. */
function documentedRaw(name: Uint8Array): string {
  const hash = createHash('sha256').update('s3eg1 metadata');
  for (const field of [Buffer.from(type[0]), Buffer.from(type[1]), name, Buffer.alloc(0)]) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    hash.update(length).update(field);
  }
  return hash.digest('hex');
}

/** What stands in the HTTP field, and what it is brought to. */
const canonicalForms: readonly (readonly [string | Uint8Array, string | Uint8Array])[] = [
  // Step 1: bytes that are not UTF-8 are ISO-8859-1.
  ['plain', 'plain'],
  ['', ''],
  ['é', 'é'],
  [Buffer.of(0xe9), 'é'],
  [Buffer.of(0xc3, 0xa9, 0xff), 'Ã©ÿ'],
  ['日本', '日本'],
  [Buffer.of(0xed, 0xa0, 0x80), Buffer.from('\xed\xa0\x80')],
  // Step 2: encoded-words.
  ['=?UTF-8?B?w6k=?=', 'é'],
  ['=?utf-8?b?w6k=?=', 'é'],
  ['=?US-ASCII?Q?a?=', 'a'],
  ['=?utf-8?q?=C3=a9_x?= y', 'é x y'],
  ['a=?utf-8?Q?b?=c', 'abc'],
  ['=?utf-8?Q??=', ''],
  ['=?utf-8?B??=', ''],
  ['=?utf-8?Q?=5F_?=', '_'],
  ['x=?utf-8?q?a?= \t =?us-ascii?Q?b?=y', 'xaby'],
  ['=?utf-8?q?a?= b =?utf-8?q?c?=', 'a b c'],
  ['=?utf-8?q?a?= =?koi8-r?q?c?=', 'a=?koi8-r?q?c?='],
  ['=?utf-8?q?a?= =?', 'a=?'],
  ['=?utf-8?q?=C3?= =?utf-8?q?=A9?=', '=?utf-8?q?=C3?==?utf-8?q?=A9?='],
  ['=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?=', '=?utf-8?Q?a?='],
  ['=?utf-8?Q?é?=', 'é'],
  ['=?utf-8?B?PT8=?=', '=?'],
  ['=?x?Q?a?=?utf-8?Q?b?=', '=?x?Q?a?b'],
  // What is no encoded-word, or one that cannot be decoded.
  ['=?iso-8859-1?Q?=E9?=', '=?iso-8859-1?Q?=E9?='],
  ['=?utf-8?Q?=E9?=', '=?utf-8?Q?=E9?='],
  ['=?utf-8?Q?=4?=', '=?utf-8?Q?=4?='],
  ['=?utf-8?Q?=?=', '=?utf-8?Q?=?='],
  ['=?utf-8?Q?a b?=', '=?utf-8?Q?a b?='],
  ['=?utf-8?Q?a?b?=', '=?utf-8?Q?a?b?='],
  ['=?utf-8?X?a?=', '=?utf-8?X?a?='],
  ['=?utf-8*en?Q?a?=', '=?utf-8*en?Q?a?='],
  ['=?utf-8?B?w6k?=', '=?utf-8?B?w6k?='],
  ['=?utf-8?B?w6k==?=', '=?utf-8?B?w6k==?='],
  ['=?utf-8?B?=?=', '=?utf-8?B?=?='],
  ['=?utf-8?B?AAAA=?=', '=?utf-8?B?AAAA=?='],
  ['=?utf-8?B?w-_=?=', '=?utf-8?B?w-_=?='],
  ['=?utf-8?B?6Q==?=', '=?utf-8?B?6Q==?='],
  ['=?utf-8?Q?a', '=?utf-8?Q?a'],
  // Step 3: white space, and only that of the document.
  ['  a \t\r\n\v\f b ', 'a b'],
  ['=?utf-8?Q?=20=09a=20=20b_?=', 'a b'],
  [' ', ''],
  ['\u00a0a\u2003b\u0085', '\u00a0a\u2003b\u0085'],
];

describe('values of the metadata digest', () => {
  for (const [value, canonical] of canonicalForms) {
    it(`${shown(value)} is ${shown(canonical)} (F1-DIG-2)`, () => {
      const expected = documented([type, ['x-amz-meta-a', canonical]]);
      assert.equal(digestOf({ 'x-amz-meta-a': raw(value) }), expected);
    });
  }

  it('are the same whether a client decoded the field or not (F1-DIG-2)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (value) => {
        assert.equal(digestOf({ 'x-amz-meta-a': raw(value) }), digestOf({ 'x-amz-meta-a': value }));
      }),
    );
  });

  it('are the same in any of the forms that a provider gives back (F1-DIG-2)', () => {
    const visible = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((value) => !/[\s=?_]/.test(value));
    fc.assert(
      fc.property(visible, (value) => {
        const expected = documented([type, ['x-amz-meta-a', value]]);
        const base64 = `=?UTF-8?B?${Buffer.from(value).toString('base64')}?=`;
        const quoted = Buffer.from(value).toString('hex').toUpperCase().replaceAll(/../g, '=$&');
        for (const form of [raw(value), ` ${raw(value)}  `, base64, `=?utf-8?q?${quoted}?=`]) {
          assert.equal(digestOf({ 'x-amz-meta-a': form }), expected);
        }
      }),
    );
  });

  it('take time in proportion to their length, whatever they hold', () => {
    const hostile = ['?='.repeat(1_000), `?=${' '.repeat(200_000)}`, '=?utf-8?q?'.repeat(20_000), '=?'.repeat(100_000)];
    const started = process.cpuUsage().user;
    for (const value of hostile) digestOf({ 'x-amz-meta-a': value });
    assert.ok(process.cpuUsage().user - started < 1_000_000, 'less than a second of CPU');
  });
});
