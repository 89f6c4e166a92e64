import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import {
  backendEtag,
  clientEtag,
  mapConditions,
  mayNamePlaintext,
  namesEntityTag,
  parseEntityTags,
  parsePartEtag,
  partEtag,
  plaintextEtag,
  replaceEntityTag,
  withMd5Token,
} from '../../../src/s3/etag.ts';

const md5 = 'd41d8cd98f00b204e9800998ecf8427e';

describe('clientEtag', () => {
  const table: [string, string][] = [
    [`"${md5}"`, `"${md5}-0"`],
    [md5, `"${md5}-0"`],
    [`"${md5.toUpperCase()}"`, `"${md5.toUpperCase()}-0"`],
    [`"${md5}-3"`, `"${md5}-3"`],
    ['"CJjF5tOe="', '"CJjF5tOe="'],
    [`"${md5}0"`, `"${md5}0"`],
  ];
  for (const [backend, client] of table) it(`shows ${backend}`, () => assert.equal(clientEtag(backend), client));
});

describe('backendEtag', () => {
  const table: [string, string | undefined][] = [
    [`"${md5}-0"`, `"${md5}"`],
    [`${md5}-0`, `"${md5}"`],
    [`"${md5}"`, undefined],
    [md5, undefined],
    [`"${md5}-12"`, `"${md5}-12"`],
    ['abc', '"abc"'],
    ['""', '""'],
  ];
  for (const [client, backend] of table) it(`maps ${client} back`, () => assert.equal(backendEtag(client), backend));

  it('is the inverse of clientEtag', () => {
    const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: 31, maxLength: 33 });
    const backend = fc.oneof(
      hex,
      fc.tuple(hex, fc.integer({ min: 1, max: 10_000 })).map(([base, parts]) => `${base}-${parts}`),
      fc.base64String({ maxLength: 40 }),
    );
    fc.assert(fc.property(backend, (etag) => assert.equal(backendEtag(clientEtag(`"${etag}"`)), `"${etag}"`)));
  });
});

describe('part ETags', () => {
  const tag = '0123456789abcdef';
  it('carry the attempt tag', () => assert.equal(partEtag(`"${md5}"`, tag), `"${md5}-${tag}"`));

  const table: [string, ReturnType<typeof parsePartEtag>][] = [
    [`"${md5}-${tag}"`, { backendEtag: `"${md5}"`, attemptTag: tag }],
    [`${md5}-${tag}`, { backendEtag: `"${md5}"`, attemptTag: tag }],
    [`"${md5}-${tag.toUpperCase()}"`, { backendEtag: `"${md5}"`, attemptTag: tag }],
    [`"${md5}"`, { backendEtag: `"${md5}"` }],
    [md5, { backendEtag: `"${md5}"` }],
    [`"${md5}-0123"`, { backendEtag: `"${md5}-0123"` }],
    ['', { backendEtag: '""' }],
    ['"', { backendEtag: '"""' }],
  ];
  for (const [etag, parsed] of table) {
    it(`takes apart ${etag}`, () => assert.deepEqual(parsePartEtag(etag), parsed));
  }

  it('carry the token of a checksum', () => {
    const token = `1${'0a'.repeat(12)}`;
    const whole = `"${md5}-${tag}-${token}"`;
    assert.equal(partEtag(`"${md5}"`, tag, token), whole);
    const parsed = { backendEtag: `"${md5}"`, attemptTag: tag, checksumToken: token };
    assert.deepEqual(parsePartEtag(whole), parsed);
    assert.deepEqual(parsePartEtag(whole.slice(1, -1).toUpperCase().replace(md5.toUpperCase(), md5)), parsed);
    // Neither too short a token nor an even number of digits is one.
    for (const end of [token.slice(2), `${token}0`]) {
      assert.deepEqual(parsePartEtag(`"${md5}-${tag}-${end}"`), { backendEtag: `"${md5}-${tag}-${end}"` });
    }
  });

  it('come back for every backend ETag', () => {
    const inner = fc.string({ unit: fc.constantFrom('0', 'a', 'f', '-', '=', '/'), minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(inner, (etag) => {
        const parsed = { backendEtag: `"${etag}"`, attemptTag: tag };
        assert.deepEqual(parsePartEtag(partEtag(`"${etag}"`, tag)), parsed);
        const checksumToken = '5'.repeat(81);
        assert.deepEqual(parsePartEtag(partEtag(`"${etag}"`, tag, checksumToken)), { ...parsed, checksumToken });
        const md5Token = '6'.repeat(48);
        const ofMd5 = (token?: string): string => withMd5Token(partEtag(`"${etag}"`, tag, token), md5Token);
        assert.deepEqual(parsePartEtag(ofMd5()), { ...parsed, md5Token });
        assert.deepEqual(parsePartEtag(ofMd5(checksumToken)), { ...parsed, checksumToken, md5Token });
      }),
    );
  });

  it('take no more and no less than an MD5 and its proof for the token of one', () => {
    for (const end of ['', 'm', `m${'6'.repeat(47)}`, `m${'6'.repeat(49)}`, `m${'g'.repeat(48)}`]) {
      assert.deepEqual(parsePartEtag(`"${md5}-${tag}-${end}"`), { backendEtag: `"${md5}-${tag}-${end}"` });
    }
  });
});

describe('ETags of plaintext', () => {
  it('are written as S3 writes them', () => {
    const digest = Buffer.from(md5, 'hex');
    assert.equal(plaintextEtag(digest), `"${md5}"`);
    assert.equal(plaintextEtag(digest, 12), `"${md5}-12"`);
  });

  const named: [string, boolean][] = [
    [md5, true],
    [`"${md5.toUpperCase()}"`, true],
    [`W/"${md5}"`, true],
    [`"other", "${md5}-3"`, true],
    [`"${md5}-0"`, false],
    [`"${md5}-03"`, false],
    [`"${md5}0"`, false],
    ['*', false],
    ['', false],
  ];
  for (const [header, expected] of named) {
    it(`${expected ? 'may be' : 'are not'} in ${header}`, () => assert.equal(mayNamePlaintext(header), expected));
  }

  it('are replaced among others, whatever their case, and stay weak', () => {
    const replaced = (header: string): string => replaceEntityTag(header, `"${md5}"`, '"stored-0"');
    assert.equal(replaced(md5), '"stored-0"');
    assert.equal(replaced(`"a,b", W/"${md5.toUpperCase()}","${md5}-3"`), `"a,b", W/"stored-0", "${md5}-3"`);
    assert.equal(replaced('*'), '*');
    assert.equal(replaced('"other"'), '"other"');
  });

  it('are found among others', () => {
    assert.equal(namesEntityTag(`"a", W/"${md5}"`, `"${md5}"`), true);
    assert.equal(namesEntityTag('*', `"${md5}"`), true);
    assert.equal(namesEntityTag(`"a", "${md5}-0"`, `"${md5}"`), false);
  });
});

describe('parseEntityTags', () => {
  it('reads lists, weak tags, commas in tags and missing quotes', () => {
    assert.equal(parseEntityTags(' * '), '*');
    assert.deepEqual(parseEntityTags('"a", W/"b,c" ,d,'), [
      { tag: 'a', weak: false },
      { tag: 'b,c', weak: true },
      { tag: 'd', weak: false },
    ]);
    assert.deepEqual(parseEntityTags(''), []);
    assert.deepEqual(parseEntityTags(`"${'",'.repeat(50_000)}`).length > 0, true);
  });
});

describe('mapConditions', () => {
  const never = '"s3eg-never-matches"';
  const table: [string, string, string][] = [
    // client's value, as If-Match, as If-None-Match
    ['*', '*', '*'],
    [`"${md5}-0"`, `"${md5}"`, `"${md5}"`],
    [`${md5}-0`, `"${md5}"`, `"${md5}"`],
    [`"${md5}"`, never, never],
    [`W/"${md5}-0"`, never, `"${md5}"`],
    [`"${md5}", "x-2"`, '"x-2"', '"x-2"'],
    [`"${md5}-0", "x-2"`, `"${md5}", "x-2"`, `"${md5}", "x-2"`],
    ['', never, never],
  ];
  for (const [value, asMatch, asNoneMatch] of table) {
    it(`maps ${value}`, () => {
      assert.deepEqual(mapConditions({ ifMatch: value }), { ifMatch: asMatch });
      assert.deepEqual(mapConditions({ ifNoneMatch: value }), { ifNoneMatch: asNoneMatch });
    });
  }

  it('leaves dates and absent conditions alone', () => {
    const dates = { ifModifiedSince: 'x', ifUnmodifiedSince: 'y' };
    assert.deepEqual(mapConditions(dates), dates);
    assert.deepEqual(mapConditions({}), {});
  });
});
