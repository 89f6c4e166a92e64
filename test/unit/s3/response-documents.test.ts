import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  renderCompleteUpload,
  renderDeleteResult,
  renderInitiateUpload,
  renderListBuckets,
  renderListObjects,
  renderListObjectsV2,
  renderListParts,
  renderObjectAttributes,
  renderListUploads,
  renderLocation,
} from '../../../src/s3/documents.ts';

/** Documents are written here with line breaks and indentation between elements, which the gateway leaves out. */
function expected(document: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${document.replaceAll(/>\s+</g, '><').trim()}`;
}

const xmlns = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const owner = { id: '75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a', displayName: 'mtd@amazon.com' };
const bare = { id: 'o' };

describe('bucket documents', () => {
  it('lists buckets', () => {
    const buckets = [
      { name: 'quotes', creationDate: '2006-02-03T16:45:09.000Z' },
      { name: 'samples', creationDate: '2006-02-03T16:41:58.000Z', region: 'eu-west-1' },
    ];
    assert.equal(
      renderListBuckets({ owner, buckets }),
      expected(`<ListAllMyBucketsResult ${xmlns}>
        <Owner><ID>${owner.id}</ID><DisplayName>mtd@amazon.com</DisplayName></Owner>
        <Buckets>
          <Bucket><Name>quotes</Name><CreationDate>2006-02-03T16:45:09.000Z</CreationDate></Bucket>
          <Bucket><Name>samples</Name><CreationDate>2006-02-03T16:41:58.000Z</CreationDate>
            <BucketRegion>eu-west-1</BucketRegion></Bucket>
        </Buckets></ListAllMyBucketsResult>`),
    );
    assert.equal(
      renderListBuckets({ owner: bare, buckets: [], prefix: 'a', continuationToken: 't' }),
      expected(`<ListAllMyBucketsResult ${xmlns}><Owner><ID>o</ID></Owner><Buckets/>
        <Prefix>a</Prefix><ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>`),
    );
  });

  it('tells the location', () => {
    assert.equal(renderLocation('eu-west-1'), expected(`<LocationConstraint ${xmlns}>eu-west-1</LocationConstraint>`));
    assert.equal(renderLocation(''), expected(`<LocationConstraint ${xmlns}/>`));
  });
});

describe('object listings', () => {
  const image = {
    key: 'my-image.jpg',
    lastModified: '2009-10-12T17:50:30.000Z',
    etag: '"fba9dede5f27731c9771645a39863328-0"',
    sizeBytes: 434_234,
    storageClass: 'STANDARD',
  };
  const empty = { objects: [], commonPrefixes: [], isTruncated: false };
  const odd = {
    objects: [{ key: 'a b/+%\u0001é', lastModified: 'L', etag: '"e"', sizeBytes: 0 }],
    commonPrefixes: ['x y/'],
    isTruncated: true,
    nextMarker: 'x y/',
    nextContinuationToken: 'x y/',
  };

  it('writes version 1', () => {
    assert.equal(
      renderListObjects({ bucket: 'bucket', maxKeys: 1000, page: { ...empty, objects: [{ ...image, owner }] } }),
      expected(`<ListBucketResult ${xmlns}>
        <Name>bucket</Name><Prefix/><Marker/><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>
        <Contents>
          <Key>my-image.jpg</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>
          <ETag>&quot;fba9dede5f27731c9771645a39863328-0&quot;</ETag><Size>434234</Size>
          <Owner><ID>${owner.id}</ID><DisplayName>mtd@amazon.com</DisplayName></Owner>
          <StorageClass>STANDARD</StorageClass>
        </Contents></ListBucketResult>`),
    );
  });

  it('writes version 1 with everything, plain and encoded', () => {
    const listing = { bucket: 'b', prefix: 'p ', marker: 'm ', delimiter: '/ ', maxKeys: 2, page: odd };
    assert.equal(
      renderListObjects(listing),
      expected(`<ListBucketResult ${xmlns}>
        <Name>b</Name><Prefix>p </Prefix><Marker>m </Marker><NextMarker>x y/</NextMarker><MaxKeys>2</MaxKeys>
        <Delimiter>/ </Delimiter><IsTruncated>true</IsTruncated>
        <Contents><Key>a b/+%&#x1;é</Key><LastModified>L</LastModified><ETag>&quot;e&quot;</ETag><Size>0</Size>
          <StorageClass>STANDARD</StorageClass></Contents>
        <CommonPrefixes><Prefix>x y/</Prefix></CommonPrefixes></ListBucketResult>`),
    );
    assert.equal(
      renderListObjects({ ...listing, encodingType: 'url' }),
      expected(`<ListBucketResult ${xmlns}>
        <Name>b</Name><Prefix>p%20</Prefix><Marker>m%20</Marker><NextMarker>x%20y/</NextMarker><MaxKeys>2</MaxKeys>
        <Delimiter>/%20</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
        <Contents><Key>a%20b/%2B%25%01%C3%A9</Key><LastModified>L</LastModified><ETag>&quot;e&quot;</ETag><Size>0</Size>
          <StorageClass>STANDARD</StorageClass></Contents>
        <CommonPrefixes><Prefix>x%20y/</Prefix></CommonPrefixes></ListBucketResult>`),
    );
  });

  it('writes version 2', () => {
    assert.equal(
      renderListObjectsV2({ bucket: 'quotes', prefix: 'E', startAfter: 'Ned ', maxKeys: 3, page: empty }),
      expected(`<ListBucketResult ${xmlns}>
        <Name>quotes</Name><Prefix>E</Prefix><StartAfter>Ned </StartAfter><KeyCount>0</KeyCount><MaxKeys>3</MaxKeys>
        <IsTruncated>false</IsTruncated></ListBucketResult>`),
    );
    assert.equal(
      renderListObjectsV2({
        bucket: 'b',
        delimiter: '/',
        continuationToken: 't 1',
        startAfter: 's ',
        maxKeys: 2,
        encodingType: 'url',
        page: odd,
      }),
      expected(`<ListBucketResult ${xmlns}>
        <Name>b</Name><Prefix/><StartAfter>s%20</StartAfter><ContinuationToken>t 1</ContinuationToken>
        <NextContinuationToken>x y/</NextContinuationToken><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>
        <Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
        <Contents><Key>a%20b/%2B%25%01%C3%A9</Key><LastModified>L</LastModified><ETag>&quot;e&quot;</ETag><Size>0</Size>
          <StorageClass>STANDARD</StorageClass></Contents>
        <CommonPrefixes><Prefix>x%20y/</Prefix></CommonPrefixes></ListBucketResult>`),
    );
  });
});

describe('multipart documents', () => {
  it('starts and completes an upload', () => {
    assert.equal(
      renderInitiateUpload({ bucket: 'example-bucket', key: 'example-object', uploadId: 'VXBsb2FkIElE' }),
      expected(`<InitiateMultipartUploadResult ${xmlns}>
        <Bucket>example-bucket</Bucket><Key>example-object</Key><UploadId>VXBsb2FkIElE</UploadId>
        </InitiateMultipartUploadResult>`),
    );
    assert.equal(
      renderCompleteUpload({
        location: 'http://example.org/b/k',
        bucket: 'b',
        key: 'k',
        etag: '"3858f62230ac3c915f300c664312c11f-9"',
        checksums: { ChecksumCRC32: 'AAAAAA==', ChecksumType: 'COMPOSITE' },
      }),
      expected(`<CompleteMultipartUploadResult ${xmlns}>
        <Location>http://example.org/b/k</Location><Bucket>b</Bucket><Key>k</Key>
        <ETag>&quot;3858f62230ac3c915f300c664312c11f-9&quot;</ETag>
        <ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType>
        </CompleteMultipartUploadResult>`),
    );
  });

  it('lists parts', () => {
    const parts = [
      { partNumber: 2, etag: '"7778aef8"', sizeBytes: 10_485_760, lastModified: '2010-11-10T20:48:34.000Z' },
    ];
    const page = { parts, isTruncated: true, nextPartNumberMarker: 2, storageClass: 'GLACIER' };
    assert.equal(
      renderListParts({ bucket: 'b', key: 'k', uploadId: 'u', partNumberMarker: 1, maxParts: 1, owner: bare, page }),
      expected(`<ListPartsResult ${xmlns}>
        <Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId>
        <Initiator><ID>o</ID></Initiator><Owner><ID>o</ID></Owner>
        <StorageClass>GLACIER</StorageClass><PartNumberMarker>1</PartNumberMarker>
        <NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>
        <Part><PartNumber>2</PartNumber><LastModified>2010-11-10T20:48:34.000Z</LastModified>
          <ETag>&quot;7778aef8&quot;</ETag><Size>10485760</Size></Part></ListPartsResult>`),
    );
  });

  it('lists uploads', () => {
    const page = {
      uploads: [{ key: 'a b', uploadId: 'u 1', initiated: '2010-11-10T20:48:33.000Z' }],
      commonPrefixes: ['p q/'],
      isTruncated: true,
      nextKeyMarker: 'a b',
      nextUploadIdMarker: 'u 1',
    };
    const listing = { bucket: 'b', delimiter: '/', keyMarker: 'a a', maxUploads: 2, owner: bare, page };
    assert.equal(
      renderListUploads({ ...listing, encodingType: 'url' }),
      expected(`<ListMultipartUploadsResult ${xmlns}>
        <Bucket>b</Bucket><KeyMarker>a%20a</KeyMarker><UploadIdMarker/><NextKeyMarker>a%20b</NextKeyMarker>
        <NextUploadIdMarker>u 1</NextUploadIdMarker><Prefix/><Delimiter>/</Delimiter><MaxUploads>2</MaxUploads>
        <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
        <Upload><Key>a%20b</Key><UploadId>u 1</UploadId><Initiator><ID>o</ID></Initiator><Owner><ID>o</ID></Owner>
          <StorageClass>STANDARD</StorageClass><Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>
        <CommonPrefixes><Prefix>p%20q/</Prefix></CommonPrefixes></ListMultipartUploadsResult>`),
    );
    assert.match(renderListUploads(listing), /<KeyMarker>a a<\/KeyMarker>.*<Key>a b<\/Key>/);
  });
});

describe('DeleteResult', () => {
  const outcomes = [
    { key: 'sample1.txt' },
    { key: 'v', versionId: 'old', deleteMarker: true, deleteMarkerVersionId: 'new' },
    { key: 'sample2.txt', errorCode: 'AccessDenied', errorMessage: 'Access Denied' },
  ];
  const failure =
    '<Error><Key>sample2.txt</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>';

  it('tells all outcomes', () => {
    assert.equal(
      renderDeleteResult(outcomes, false),
      expected(`<DeleteResult ${xmlns}><Deleted><Key>sample1.txt</Key></Deleted>
        <Deleted><Key>v</Key><VersionId>old</VersionId><DeleteMarker>true</DeleteMarker>
          <DeleteMarkerVersionId>new</DeleteMarkerVersionId></Deleted>${failure}`),
    );
  });

  it('tells failures only when quiet', () => {
    assert.equal(renderDeleteResult(outcomes, true), expected(`<DeleteResult ${xmlns}>${failure}`));
    assert.equal(renderDeleteResult([{ key: 'a' }], true), expected(`<DeleteResult ${xmlns}/>`));
  });
});

describe('object attributes', () => {
  it('have what was asked for, in the order of the API', () => {
    assert.equal(renderObjectAttributes({}), expected(`<GetObjectAttributesResponse ${xmlns}/>`));
    const parts = {
      partCount: 3,
      marker: 1,
      nextMarker: 2,
      maxParts: 1,
      isTruncated: true,
      parts: [{ partNumber: 2, sizeBytes: 5_242_881 }],
    };
    const checksums = { ChecksumCRC32: 'AAAAAA==', ChecksumType: 'COMPOSITE' };
    assert.equal(
      renderObjectAttributes({ etag: 'e-3', checksums, parts, storageClass: 'STANDARD', sizeBytes: 0 }),
      expected(`<GetObjectAttributesResponse ${xmlns}>
        <ETag>e-3</ETag>
        <Checksum><ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType></Checksum>
        <ObjectParts><PartsCount>3</PartsCount><PartNumberMarker>1</PartNumberMarker>
          <NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>
          <Part><PartNumber>2</PartNumber><Size>5242881</Size></Part></ObjectParts>
        <StorageClass>STANDARD</StorageClass><ObjectSize>0</ObjectSize></GetObjectAttributesResponse>`),
    );
    assert.equal(renderObjectAttributes({ checksums: {} }), expected(`<GetObjectAttributesResponse ${xmlns}/>`));
  });
});
