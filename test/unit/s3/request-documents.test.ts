import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { parseCompleteRequest, parseCreateBucketRequest, parseDeleteRequest } from '../../../src/s3/documents.ts';

const xmlns = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

const objects = (count: number): string => '<Object><Key>k</Key></Object>'.repeat(count);
const parts = (count: number): string => {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  return numbers.map((number) => `<Part><PartNumber>${number}</PartNumber><ETag>"e"</ETag></Part>`).join('');
};
const one = (inner: string): string => `<CompleteMultipartUpload><Part>${inner}</Part></CompleteMultipartUpload>`;
const wrap = (inner: string): string => `<CreateBucketConfiguration ${xmlns}>${inner}</CreateBucketConfiguration>`;

describe('parseDeleteRequest', () => {
  it('reads keys, versions and Quiet', () => {
    const body = `<?xml version="1.0" encoding="UTF-8"?>
      <Delete ${xmlns}>
        <Object><Key> a&#x1;b </Key></Object>
        <Object><Key>../__proto__</Key><VersionId>null</VersionId></Object>
        <Quiet>true</Quiet>
      </Delete>`;
    assert.deepEqual(parseDeleteRequest(new TextEncoder().encode(body)), {
      objects: [{ key: ' a\u0001b ' }, { key: '../__proto__', versionId: 'null' }],
      quiet: true,
    });
    assert.equal(parseDeleteRequest(`<Delete>${objects(1)}<Quiet>false</Quiet></Delete>`).quiet, false);
    assert.equal(parseDeleteRequest(`<Delete>${objects(1000)}</Delete>`).objects.length, 1000);
  });

  const refused: [string, string, string][] = [
    ['nothing', '', 'MalformedXML'],
    ['no objects', '<Delete/>', 'MalformedXML'],
    ['1 001 objects', `<Delete>${objects(1001)}</Delete>`, 'MalformedXML'],
    ['another root', `<Remove>${objects(1)}</Remove>`, 'MalformedXML'],
    ['an object without key', '<Delete><Object/></Delete>', 'MalformedXML'],
    ['an empty key', '<Delete><Object><Key/></Object></Delete>', 'MalformedXML'],
    ['two keys', '<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>', 'MalformedXML'],
    ['an unknown element', `<Delete>${objects(1)}<Loud/></Delete>`, 'MalformedXML'],
    ['an unknown element in an object', '<Delete><Object><Key>a</Key><X/></Object></Delete>', 'MalformedXML'],
    ['an odd Quiet', `<Delete>${objects(1)}<Quiet>maybe</Quiet></Delete>`, 'MalformedXML'],
    ['a long key', `<Delete><Object><Key>${'é'.repeat(513)}</Key></Object></Delete>`, 'KeyTooLongError'],
    ['an ETag', '<Delete><Object><Key>a</Key><ETag>x</ETag></Object></Delete>', 'NotImplemented'],
    ['a size', '<Delete><Object><Key>a</Key><Size>1</Size></Object></Delete>', 'NotImplemented'],
    ['a time', '<Delete><Object><Key>a</Key><LastModifiedTime/></Object></Delete>', 'NotImplemented'],
  ];
  for (const [name, body, code] of refused) {
    it(`refuses ${name}`, () => assert.throws(() => parseDeleteRequest(body), { code }));
  }
});

describe('parseCompleteRequest', () => {
  it('reads parts in the order given, with ETags as written', () => {
    const body = `<CompleteMultipartUpload ${xmlns}>
      <Part><PartNumber>2</PartNumber><ETag>&quot;a54357af&quot;</ETag></Part>
      <Part><ETag> 0c78aef8 </ETag><PartNumber>1</PartNumber><ChecksumCRC32C>AAAAAA==</ChecksumCRC32C></Part>
      </CompleteMultipartUpload>`;
    assert.deepEqual(parseCompleteRequest(body), [
      { partNumber: 2, etag: '"a54357af"', checksums: new Map() },
      { partNumber: 1, etag: '0c78aef8', checksums: new Map([['ChecksumCRC32C', 'AAAAAA==']]) },
    ]);
  });

  it('reads 10 000 parts', () => {
    const read = parseCompleteRequest(`<CompleteMultipartUpload>${parts(10_000)}</CompleteMultipartUpload>`);
    assert.equal(read.length, 10_000);
    assert.equal(read.at(-1)?.partNumber, 10_000);
  });

  const refused: [string, string, string][] = [
    ['no parts', '<CompleteMultipartUpload/>', 'MalformedXML'],
    ['10 001 parts', `<CompleteMultipartUpload>${parts(10_000)}${parts(1)}</CompleteMultipartUpload>`, 'MalformedXML'],
    ['another root', '<Complete><Part/></Complete>', 'MalformedXML'],
    ['no document', '', 'InvalidRequest'],
    ['a part without ETag', one('<PartNumber>1</PartNumber>'), 'MalformedXML'],
    ['a part without number', one('<ETag>e</ETag>'), 'InvalidArgument'],
    ['part 0', one('<PartNumber>0</PartNumber><ETag>e</ETag>'), 'InvalidArgument'],
    ['part 10 001', one('<PartNumber>10001</PartNumber><ETag>e</ETag>'), 'InvalidArgument'],
    ['part 1.5', one('<PartNumber>1.5</PartNumber><ETag>e</ETag>'), 'InvalidArgument'],
    ['part -1', one('<PartNumber>-1</PartNumber><ETag>e</ETag>'), 'InvalidArgument'],
    ['two numbers', one('<PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>e</ETag>'), 'MalformedXML'],
    ['an unknown element', one('<PartNumber>1</PartNumber><ETag>e</ETag><X/>'), 'MalformedXML'],
    ['an unknown checksum', one('<PartNumber>1</PartNumber><ETag>e</ETag><ChecksumX/>'), 'NotImplemented'],
  ];
  for (const [name, body, code] of refused) {
    it(`refuses ${name}`, () => assert.throws(() => parseCompleteRequest(body), { code }));
  }
});

const tag = (key: string, value: string): string => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
const tags = (inner: string): unknown => parseCreateBucketRequest(wrap(`<Tags>${inner}</Tags>`));

describe('parseCreateBucketRequest', () => {
  it('reads the location, which may be missing', () => {
    assert.deepEqual(parseCreateBucketRequest(''), { tags: [] });
    assert.deepEqual(parseCreateBucketRequest(new Uint8Array(0)), { tags: [] });
    assert.deepEqual(parseCreateBucketRequest(wrap('')), { tags: [] });
    assert.deepEqual(parseCreateBucketRequest(wrap('<LocationConstraint/>')), { tags: [] });
    assert.deepEqual(parseCreateBucketRequest(wrap('<LocationConstraint> eu-west-1\n</LocationConstraint>')), {
      locationConstraint: 'eu-west-1',
      tags: [],
    });
  });

  it('reads tags, within the limits of a bucket', () => {
    assert.deepEqual(tags(''), { tags: [] });
    assert.deepEqual(tags(tag('team', 'a b') + tag('empty', '')), {
      tags: [
        { key: 'team', value: 'a b' },
        { key: 'empty', value: '' },
      ],
    });
    assert.throws(() => tags(tag('twice', '1') + tag('twice', '2')), { code: 'InvalidTag' });
    assert.throws(() => tags(tag('a'.repeat(129), '')), { code: 'InvalidTag' });
    assert.throws(() => tags(Array.from({ length: 51 }, (_, n) => tag(`t${n}`, '')).join('')), { code: 'BadRequest' });
    assert.throws(() => tags('<Tag><Key>no value</Key></Tag>'), { code: 'MalformedXML' });
  });

  it('refuses what it cannot do', () => {
    assert.throws(() => parseCreateBucketRequest(wrap('<Tags/><Tags/>')), { code: 'MalformedXML' });
    assert.throws(() => parseCreateBucketRequest(wrap('<Bucket><Type>Directory</Type></Bucket>')), {
      code: 'NotImplemented',
    });
    assert.throws(() => parseCreateBucketRequest(wrap('<Location/>')), { code: 'NotImplemented' });
    assert.throws(() => parseCreateBucketRequest(wrap('<X/>')), { code: 'MalformedXML' });
    assert.throws(() => parseCreateBucketRequest('x'), { code: 'MalformedXML' });
    assert.throws(() => parseCreateBucketRequest(' '.repeat(70_000)), { code: 'MaxMessageLengthExceeded' });
  });
});
