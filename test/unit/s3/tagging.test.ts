import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  parseTaggingDocument,
  parseTaggingHeader,
  renderTaggingDocument,
  renderTaggingHeader,
} from '../../../src/s3/tagging.ts';

function documentOf(tags: readonly (readonly [string, string])[]): Buffer {
  const set = tags.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`).join('');
  return Buffer.from(`<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>${set}</TagSet></Tagging>`);
}

function numbered(count: number): readonly (readonly [string, string])[] {
  return Array.from({ length: count }, (_, index) => [`k${index}`, 'v'] as const);
}

describe('the tagging header', () => {
  const accepted: [string, { key: string; value: string }[]][] = [
    ['', []],
    [
      'a=1&b=2',
      [
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
      ],
    ],
    ['a', [{ key: 'a', value: '' }]],
    ['a=', [{ key: 'a', value: '' }]],
    ['a=b=c', [{ key: 'a', value: 'b=c' }]],
    ['a+b=%2B+', [{ key: 'a b', value: '+ ' }]],
    ['&a=1&', [{ key: 'a', value: '1' }]],
    ['%C3%BC=%C3%A9', [{ key: 'ü', value: 'é' }]],
    [`${'k'.repeat(128)}=${'v'.repeat(256)}`, [{ key: 'k'.repeat(128), value: 'v'.repeat(256) }]],
  ];
  for (const [header, tags] of accepted) {
    it(`reads ${header.slice(0, 40)}`, () => assert.deepEqual(parseTaggingHeader(header), tags));
    it(`writes ${header.slice(0, 40)} so that it reads the same`, () =>
      assert.deepEqual(parseTaggingHeader(renderTaggingHeader(tags)), tags));
  }

  const refused: [string, string][] = [
    ['a=1&a=2', 'InvalidArgument'],
    ['a=%zz', 'InvalidArgument'],
    ['a=%ff', 'InvalidArgument'],
    ['=1', 'InvalidTag'],
    [`${'k'.repeat(129)}=1`, 'InvalidTag'],
    [`a=${'v'.repeat(257)}`, 'InvalidTag'],
    ['aws:a=1', 'InvalidTag'],
    ['a=%00', 'InvalidTag'],
    ['a=%26', 'InvalidTag'],
    [
      numbered(11)
        .map(([key, value]) => `${key}=${value}`)
        .join('&'),
      'BadRequest',
    ],
  ];
  for (const [header, code] of refused) {
    it(`refuses ${header.slice(0, 40)}`, () => assert.throws(() => parseTaggingHeader(header), { code, status: 400 }));
  }
});

describe('the tagging document', () => {
  it('reads and writes tags', () => {
    const tags = [
      { key: 'a', value: '1' },
      { key: 'b <c>', value: '' },
    ];
    assert.deepEqual(
      parseTaggingDocument(
        documentOf([
          ['a', '1'],
          ['b', ''],
        ]),
        'Object',
      )[0],
      tags[0],
    );
    assert.deepEqual(parseTaggingDocument(Buffer.from(renderTaggingDocument(tags.slice(0, 1))), 'Object'), [tags[0]]);
    assert.deepEqual(parseTaggingDocument(documentOf([]), 'Object'), []);
  });

  it('lets a bucket have 50 tags and an object 10', () => {
    assert.equal(parseTaggingDocument(documentOf(numbered(50)), 'Bucket').length, 50);
    assert.equal(parseTaggingDocument(documentOf(numbered(10)), 'Object').length, 10);
    assert.throws(() => parseTaggingDocument(documentOf(numbered(51)), 'Bucket'), { code: 'BadRequest' });
    assert.throws(() => parseTaggingDocument(documentOf(numbered(11)), 'Object'), { code: 'BadRequest' });
  });

  const malformed = [
    '',
    '<Tagging/>',
    '<Other><TagSet/></Other>',
    '<Tagging><TagSet/><TagSet/></Tagging>',
    '<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>',
    '<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>',
    '<Tagging><TagSet><Entry><Key>a</Key><Value>b</Value></Entry></TagSet></Tagging>',
  ];
  for (const document of malformed) {
    it(`refuses ${document}`, () =>
      assert.throws(() => parseTaggingDocument(Buffer.from(document), 'Object'), { code: 'MalformedXML' }));
  }

  it('refuses a key given twice', () =>
    assert.throws(
      () =>
        parseTaggingDocument(
          documentOf([
            ['a', '1'],
            ['a', '2'],
          ]),
          'Object',
        ),
      { code: 'InvalidTag' },
    ));
});
