import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import {
  parseCompleteUploadAnswer,
  parseDeleteResultAnswer,
  parseErrorAnswer,
  parseInitiateUploadAnswer,
  parseListBucketsAnswer,
  parseListObjectsAnswer,
  parseListPartsAnswer,
  parseListUploadsAnswer,
  parseLocationAnswer,
  renderListObjectsV2,
  renderListUploads,
} from '../../../src/s3/documents.ts';
import { S3Error } from '../../../src/s3/s3-error.ts';

describe('answers of a backend', () => {
  it('lists buckets', () => {
    const bucket =
      '<Bucket><Name>a</Name><CreationDate>2006-02-03T16:45:09.000Z</CreationDate><BucketRegion>eu-west-1</BucketRegion></Bucket>';
    assert.deepEqual(
      parseListBucketsAnswer(`<ListAllMyBucketsResult><Buckets>${bucket}</Buckets></ListAllMyBucketsResult>`),
      { buckets: [{ name: 'a', creationDate: '2006-02-03T16:45:09.000Z', region: 'eu-west-1' }] },
    );
    assert.deepEqual(
      parseListBucketsAnswer(
        '<ListAllMyBucketsResult><Buckets/><ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>',
      ),
      { buckets: [], continuationToken: 't' },
    );
  });

  it('lists objects, plain', () => {
    const answer = `<?xml version="1.0" encoding="UTF-8"?>
      <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>false</IsTruncated>
      <Contents><Key>a+b%20\u2028&#x1;</Key><LastModified>L</LastModified><ETag>&#34;e&#34;</ETag><Size>0</Size></Contents>
      <Contents><Key>c</Key><LastModified>L</LastModified><ETag>bare</ETag><Size>5497558138880</Size>
        <Owner><ID>o</ID><DisplayName>d</DisplayName></Owner><StorageClass>GLACIER</StorageClass></Contents>
      <CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>q/</Prefix></CommonPrefixes>
      </ListBucketResult>`;
    assert.deepEqual(parseListObjectsAnswer(answer), {
      objects: [
        { key: 'a+b%20\u2028\u0001', lastModified: 'L', etag: '"e"', sizeBytes: 0 },
        {
          key: 'c',
          lastModified: 'L',
          etag: '"bare"',
          sizeBytes: 5_497_558_138_880,
          storageClass: 'GLACIER',
          owner: { id: 'o', displayName: 'd' },
        },
      ],
      commonPrefixes: ['p/', 'q/'],
      isTruncated: false,
    });
  });

  it('lists objects, encoded with %20 or +', () => {
    const answer = `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
      <NextMarker>n+%2B</NextMarker><NextContinuationToken>t+1</NextContinuationToken>
      <Contents><Key>a+b%20c%2B%01/%F0%9F%97%9D</Key><ETag/><Size>1</Size></Contents>
      <CommonPrefixes><Prefix>p+%2F</Prefix></CommonPrefixes></ListBucketResult>`;
    assert.deepEqual(parseListObjectsAnswer(answer), {
      objects: [{ key: 'a b c+\u0001/🗝', lastModified: '', etag: '', sizeBytes: 1 }],
      commonPrefixes: ['p /'],
      isTruncated: true,
      nextMarker: 'n +',
      nextContinuationToken: 't+1',
    });
  });
});

describe('answers about uploads and deletions', () => {
  it('lists parts and uploads', () => {
    const part = '<Part><PartNumber>3</PartNumber><LastModified>L</LastModified><ETag>"e"</ETag><Size>7</Size></Part>';
    assert.deepEqual(
      parseListPartsAnswer(
        `<ListPartsResult><StorageClass>S</StorageClass><IsTruncated>true</IsTruncated><NextPartNumberMarker>3</NextPartNumberMarker>${part}</ListPartsResult>`,
      ),
      {
        parts: [{ partNumber: 3, etag: '"e"', sizeBytes: 7, lastModified: 'L' }],
        isTruncated: true,
        nextPartNumberMarker: 3,
        storageClass: 'S',
      },
    );
    assert.deepEqual(parseListPartsAnswer('<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>'), {
      parts: [],
      isTruncated: false,
    });
    assert.deepEqual(
      parseListUploadsAnswer(`<ListMultipartUploadsResult><EncodingType>url</EncodingType>
        <IsTruncated>true</IsTruncated><NextKeyMarker>a+b</NextKeyMarker><NextUploadIdMarker>u+</NextUploadIdMarker>
        <Upload><Key>a+b</Key><UploadId>u+</UploadId><Initiated>I</Initiated></Upload></ListMultipartUploadsResult>`),
      {
        uploads: [{ key: 'a b', uploadId: 'u+', initiated: 'I' }],
        commonPrefixes: [],
        isTruncated: true,
        nextKeyMarker: 'a b',
        nextUploadIdMarker: 'u+',
      },
    );
  });

  it('starts uploads, deletes, tells locations', () => {
    assert.deepEqual(
      parseInitiateUploadAnswer(
        '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
      ),
      { uploadId: 'u' },
    );
    assert.deepEqual(
      parseDeleteResultAnswer(`<DeleteResult><Deleted><Key>a</Key></Deleted>
        <Deleted><Key>b</Key><VersionId>v</VersionId><DeleteMarker>true</DeleteMarker>
          <DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted>
        <Error><Key>c</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>`),
      [
        { key: 'a' },
        { key: 'b', versionId: 'v', deleteMarker: true, deleteMarkerVersionId: 'm' },
        { key: 'c', errorCode: 'AccessDenied', errorMessage: 'no' },
      ],
    );
    assert.equal(parseLocationAnswer('<LocationConstraint/>'), '');
    assert.equal(parseLocationAnswer('<LocationConstraint>eu</LocationConstraint>'), 'eu');
    const inner = '<LocationConstraint>eu</LocationConstraint>';
    assert.equal(parseLocationAnswer(`<CreateBucketConfiguration>${inner}</CreateBucketConfiguration>`), 'eu');
  });

  it('completes an upload, or fails in a 200', () => {
    const complete = '<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>';
    assert.deepEqual(parseCompleteUploadAnswer(`\n\n${complete}`.trimStart()), { etag: '"e-2"' });
    assert.throws(() => parseCompleteUploadAnswer('<Error><Code>SlowDown</Code><Message>m</Message></Error>'), {
      code: 'SlowDown',
      status: 503,
      message: 'm',
    });
    assert.throws(() => parseCompleteUploadAnswer('<Error><Code>Odd</Code></Error>'), { code: 'Odd', status: 500 });
  });
});

describe('answers that cannot be read', () => {
  const unreadable: [string, () => unknown][] = [
    ['no XML', () => parseListObjectsAnswer('<html><body>')],
    ['nothing', () => parseListObjectsAnswer('')],
    ['another document', () => parseListObjectsAnswer('<ListAllMyBucketsResult/>')],
    [
      'no key',
      () => parseListObjectsAnswer('<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>'),
    ],
    [
      'a size that is none',
      () =>
        parseListObjectsAnswer('<ListBucketResult><Contents><Key>k</Key><Size>-1</Size></Contents></ListBucketResult>'),
    ],
    [
      'a size beyond 2^53',
      () =>
        parseListObjectsAnswer(
          '<ListBucketResult><Contents><Key>k</Key><Size>9007199254740993</Size></Contents></ListBucketResult>',
        ),
    ],
    [
      'a key that is not encoded well',
      () =>
        parseListObjectsAnswer(
          '<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key><Size>1</Size></Contents></ListBucketResult>',
        ),
    ],
    ['no upload id', () => parseInitiateUploadAnswer('<InitiateMultipartUploadResult/>')],
    ['no ETag', () => parseCompleteUploadAnswer('<CompleteMultipartUploadResult/>')],
    [
      'a page without its marker',
      () => parseListPartsAnswer('<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>'),
    ],
  ];
  for (const [name, parse] of unreadable) {
    it(`is the backend's fault: ${name}`, () => assert.throws(parse, { code: 'InternalError', status: 500 }));
  }
});

const coded = (code: string): string => `<Error><Code>${code}</Code><Endpoint>internal</Endpoint></Error>`;

describe('parseErrorAnswer', () => {
  it('takes code, message, status and further elements', () => {
    const body = `<Error><Code>EntityTooSmall</Code><Message>m</Message><ETag>e</ETag><MinSizeAllowed>5</MinSizeAllowed>
      <RequestId>r</RequestId><HostId>h</HostId><Resource>/secret-bucket</Resource></Error>`;
    const error = parseErrorAnswer({ status: 400, body });
    assert.deepEqual([error.code, error.status, error.message], ['EntityTooSmall', 400, 'm']);
    assert.deepEqual(error.details, { ETag: 'e', MinSizeAllowed: '5' });
  });

  it('passes codes that the gateway does not know', () => {
    const error = parseErrorAnswer({ status: 418, body: '<Error><Code>XMinioTeapot</Code></Error>' });
    assert.deepEqual([error.code, error.status, error.message], ['XMinioTeapot', 418, 'XMinioTeapot']);
  });

  const bodies = ['', '<html>', 'Bad Gateway', '<NotError/>', '<Error><Code>a b</Code></Error>', '<!DOCTYPE x><x/>'];
  for (const body of bodies) {
    it(`makes do with '${body}'`, () => {
      const cases: [number, string][] = [
        [304, 'NotModified'],
        [403, 'AccessDenied'],
        [404, 'NoSuchKey'],
        [412, 'PreconditionFailed'],
        [503, 'SlowDown'],
        [500, 'InternalError'],
        [599, 'InternalError'],
      ];
      for (const [status, code] of cases) {
        const error = parseErrorAnswer({ status, body });
        assert.deepEqual([error.code, error.status], [code, status]);
        assert.notEqual(error.message, '');
      }
      assert.equal(parseErrorAnswer({ status: 404, body, fallback: 'NoSuchBucket' }).code, 'NoSuchBucket');
    });
  }

  it('keeps what is between gateway and backend from the client', () => {
    const answers: [number, string][] = [
      [301, 'PermanentRedirect'],
      [307, 'TemporaryRedirect'],
      [403, 'SignatureDoesNotMatch'],
      [403, 'InvalidAccessKeyId'],
      [403, 'RequestTimeTooSkewed'],
    ];
    for (const [status, code] of answers) {
      const error = parseErrorAnswer({ status, body: coded(code) });
      assert.deepEqual([error.code, error.status, error.details], ['InternalError', 500, {}]);
      assert.ok(error.cause instanceof S3Error && error.cause.code === code);
    }
    assert.equal(parseErrorAnswer({ status: 403, body: coded('AccessDenied') }).code, 'AccessDenied');
  });

  it('bounds what it takes over', () => {
    const many = Array.from({ length: 50 }, (_, index) => `<D${index}>x</D${index}>`).join('');
    const body = `<Error><Code>X</Code><Message>${'m'.repeat(5000)}</Message><__proto__>p</__proto__>${many}</Error>`;
    const error = parseErrorAnswer({ status: 400, body });
    assert.equal(error.message.length, 2048);
    assert.equal(Object.keys(error.details).length, 16);
    assert.ok(!Object.hasOwn(error.details, '__proto__'));
  });
});

describe('listings written and read', () => {
  const keys = fc.array(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).filter((key) => !/[\0\ufffe\uffff]/.test(key)),
    { maxLength: 5 },
  );
  const encodings = fc.constantFrom('url' as const, undefined);

  it('carry every key', () => {
    fc.assert(
      fc.property(keys, keys, encodings, (objectKeys, commonPrefixes, encodingType) => {
        const objects = objectKeys.map((key) => ({
          key,
          lastModified: 'L',
          etag: '"e"',
          sizeBytes: 1,
          storageClass: 'S',
        }));
        const page = { objects, commonPrefixes, isTruncated: false };
        const document = renderListObjectsV2({ bucket: 'b', maxKeys: 1, encodingType, page });
        assert.deepEqual(parseListObjectsAnswer(Buffer.from(document)), page);
      }),
    );
  });

  it('carry every upload', () => {
    fc.assert(
      fc.property(keys, encodings, (uploadKeys, encodingType) => {
        const uploads = uploadKeys.map((key) => ({ key, uploadId: 'u', initiated: 'I', storageClass: 'S' }));
        const page = { uploads, commonPrefixes: [], isTruncated: false };
        const document = renderListUploads({ bucket: 'b', maxUploads: 1, owner: { id: 'o' }, encodingType, page });
        assert.deepEqual(parseListUploadsAnswer(Buffer.from(document)), page);
      }),
    );
  });
});
