import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  forwardedOperations,
  matchOperation,
  operationTable,
  refusedOperations,
  responseOverrides,
  servedOperations,
  type OperationLevel,
} from '../../../src/s3/operation-table.ts';

const addresses = { service: {}, bucket: { bucket: 'b' }, object: { bucket: 'b', key: 'k' } } as const;

type Query = Record<string, string>;

function match(method: string, level: OperationLevel, query: Query = {}, headers: Query = {}) {
  const parameters = Object.entries(query).map(([name, value]) => ({ name, value }));
  return matchOperation({ method, address: addresses[level], query: parameters, headers });
}

function exampleQuery(required: Readonly<Record<string, true | string>>): Query {
  return Object.fromEntries(Object.entries(required).map(([name, value]) => [name, value === true ? '' : value]));
}

describe('served operations', () => {
  for (const row of servedOperations) {
    it(`finds ${row.operation}, also with all its parameters and those of presigned URLs`, () => {
      const query = exampleQuery(row.query);
      const headers = 'header' in row ? { [row.header]: 'v' } : {};
      assert.equal(match(row.method, row.level, query, headers).operation, row.operation);
      const optional = Object.fromEntries(row.optionalQuery.map((name) => [name, 'v']));
      const presigned = { 'X-Amz-Signature': 's', 'X-Amz-Date': 'd', 'x-id': row.operation };
      const full = { ...query, ...optional, ...presigned };
      assert.equal(match(row.method, row.level, full, headers).operation, row.operation);
    });

    it(`does not serve ${row.operation} with a parameter that it does not know`, () => {
      const query = { ...exampleQuery(row.query), 'brand-new': '1' };
      assert.throws(() => match(row.method, row.level, query), { code: 'NotImplemented', status: 501 });
    });
  }

  it('are those of the first version', () => {
    assert.deepEqual(servedOperations.map((row) => row.operation).toSorted(), [
      'AbortMultipartUpload',
      'CompleteMultipartUpload',
      'CopyObject',
      'CreateBucket',
      'CreateMultipartUpload',
      'DeleteBucket',
      'DeleteObject',
      'DeleteObjects',
      'GetBucketLocation',
      'GetObject',
      'GetObjectAttributes',
      'HeadBucket',
      'HeadObject',
      'ListBuckets',
      'ListMultipartUploads',
      'ListObjectVersions',
      'ListObjects',
      'ListObjectsV2',
      'ListParts',
      'PostObject',
      'PreflightRequest',
      'PreflightRequest',
      'PutObject',
      'UploadPart',
      'UploadPartCopy',
    ]);
  });
});

describe('forwarded operations', () => {
  for (const row of forwardedOperations) {
    it(`passes ${row.method} ${row.level} ${Object.keys(row.query).join(' ')} on as ${row.operation}`, () => {
      const query = exampleQuery(row.query);
      const optional = Object.fromEntries(row.optionalQuery.map((name) => [name, 'v']));
      assert.equal(match(row.method, row.level, query), row);
      assert.equal(match(row.method, row.level, { ...query, ...optional, 'X-Amz-Signature': 's' }), row);
      assert.throws(() => match(row.method, row.level, { ...query, 'brand-new': '1' }), { status: 501 });
    });
  }
});

describe('refused operations', () => {
  for (const row of refusedOperations) {
    it(`answers ${row.method} ${row.level} ${Object.keys(row.query).join(' ')} (${row.operation}) with 501`, () => {
      const headers = row.header === undefined ? {} : { [row.header]: 'v' };
      assert.throws(() => match(row.method, row.level, exampleQuery(row.query), headers), {
        code: 'NotImplemented',
        status: 501,
        details: { Operation: row.operation },
      });
    });
  }
});

function isReadOfObject({ operation }: { readonly operation: string }): boolean {
  return operation === 'GetObject' || operation === 'HeadObject';
}

describe('the table', () => {
  it('has no two rows for one request', () => {
    const shapes = operationTable.map((row) =>
      JSON.stringify([
        row.method,
        row.level,
        Object.keys(row.query).toSorted(),
        Object.values(row.query).map(String).toSorted(),
        row.header ?? '',
      ]),
    );
    assert.equal(new Set(shapes).size, shapes.length);
  });

  it('lets no sub-resource fall through to a neighbour, whatever the method', () => {
    const subResources = new Set(operationTable.flatMap((row) => Object.keys(row.query)));
    for (const level of ['service', 'bucket', 'object'] as const) {
      for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
        for (const name of subResources) {
          for (const value of ['', 'x', '2']) {
            let served;
            try {
              served = match(method, level, { [name]: value });
            } catch {
              continue;
            }
            // A part number makes an operation its own on uploads, and is a parameter of reads.
            const isOwn = Object.hasOwn(served.query, name) || (name === 'partNumber' && isReadOfObject(served));
            assert.ok(isOwn, `${method} ${level} ?${name}=${value}: ${served.operation}`);
          }
        }
      }
    }
  });
});

const notServed: [string, OperationLevel, Query, string, number][] = [
  ['GET', 'bucket', { foo: 'bar' }, 'NotImplemented', 501],
  ['GET', 'bucket', { __proto__x: '' }, 'NotImplemented', 501],
  ['GET', 'bucket', { constructor: '' }, 'NotImplemented', 501],
  ['GET', 'bucket', { ACL: '' }, 'NotImplemented', 501],
  ['GET', 'bucket', { acl: '', location: '' }, 'InvalidArgument', 400],
  ['PUT', 'bucket', { metrics: '' }, 'InvalidArgument', 400],
  ['PUT', 'bucket', { versions: '' }, 'MethodNotAllowed', 405],
  ['PUT', 'object', { encryption: '' }, 'NotImplemented', 501],
  ['GET', 'bucket', { 'list-type': '3' }, 'InvalidArgument', 400],
  ['GET', 'bucket', { 'list-type': '2', marker: 'x' }, 'InvalidArgument', 400],
  ['GET', 'bucket', { uploads: '', location: '' }, 'InvalidArgument', 400],
  ['GET', 'bucket', { delete: '' }, 'MethodNotAllowed', 405],
  ['GET', 'bucket', { versionId: 'x' }, 'InvalidArgument', 400],
  ['PUT', 'bucket', { location: '' }, 'MethodNotAllowed', 405],
  ['PUT', 'bucket', { prefix: 'x' }, 'InvalidArgument', 400],
  ['HEAD', 'bucket', { acl: '' }, 'MethodNotAllowed', 405],
  ['GET', 'bucket', { acl: '', versionId: 'x' }, 'InvalidArgument', 400],
  ['PUT', 'object', { partNumber: '1' }, 'InvalidArgument', 400],
  ['PUT', 'object', { uploadId: '1' }, 'InvalidArgument', 400],
  ['PUT', 'object', { versionId: '1' }, 'InvalidArgument', 400],
  ['POST', 'object', { uploadId: '1', uploads: '' }, 'InvalidArgument', 400],
  ['POST', 'object', { partNumber: '1', uploadId: '1' }, 'MethodNotAllowed', 405],
  ['DELETE', 'object', { uploadId: '1', versionId: '1' }, 'InvalidArgument', 400],
  ['DELETE', 'object', { delete: '' }, 'InvalidArgument', 400],
  ['POST', 'object', {}, 'MethodNotAllowed', 405],
  ['PATCH', 'object', {}, 'MethodNotAllowed', 405],
  ['get', 'object', {}, 'MethodNotAllowed', 405],
  ['POST', 'service', {}, 'MethodNotAllowed', 405],
  ['PUT', 'object', { 'x-amz-copy-source': '/b/k' }, 'NotImplemented', 501],
  ['PUT', 'object', { 'x-amz-meta-a': 'b' }, 'NotImplemented', 501],
  ['PUT', 'object', { '': 'x' }, 'NotImplemented', 501],
];

describe('what is not served', () => {
  for (const [method, level, query, code, status] of notServed) {
    it(`${method} ${level} ${JSON.stringify(query)}: ${code}`, () =>
      assert.throws(() => match(method, level, query), { code, status }));
  }

  it('names the parameter and the methods that there are', () => {
    assert.throws(() => match('GET', 'bucket', { foo: '' }), { details: { Parameter: 'foo' }, message: /foo/ });
    assert.throws(() => match('POST', 'object'), { headers: { allow: 'DELETE, GET, HEAD, OPTIONS, PUT' } });
    assert.throws(() => match('PUT', 'bucket', { location: '' }), { headers: { allow: 'GET' } });
    assert.throws(() => match('GET', 'object', { ['x'.repeat(5000)]: '' }), { details: { Parameter: 'x'.repeat(64) } });
  });

  it('refuses a parameter given twice', () => {
    const query = [
      { name: 'uploadId', value: 'a' },
      { name: 'uploadId', value: 'b' },
    ];
    assert.throws(() => matchOperation({ method: 'GET', address: addresses.object, query, headers: {} }), {
      code: 'InvalidArgument',
    });
  });

  it('refuses headers that change the meaning', () => {
    const copySource = { 'x-amz-copy-source': '/b/k' };
    assert.equal(match('PUT', 'object', {}, copySource).operation, 'CopyObject');
    const conditional = { ...copySource, 'x-amz-copy-source-if-match': '"e"' };
    assert.equal(match('PUT', 'object', {}, conditional).operation, 'CopyObject');
    assert.throws(() => match('PUT', 'object', {}, { 'x-amz-copy-source-if-match': '"e"' }), {
      code: 'InvalidArgument',
    });
    const part = { partNumber: '1', uploadId: 'u' };
    assert.equal(match('PUT', 'object', part, copySource).operation, 'UploadPartCopy');
    assert.equal(match('PUT', 'object', part).operation, 'UploadPart');
    assert.throws(() => match('GET', 'object', {}, copySource), { code: 'InvalidArgument' });
    for (const header of [
      'x-amz-write-offset-bytes',
      'x-amz-server-side-encryption-customer-algorithm',
      'x-amz-if-match-size',
      'x-amz-meta-snowball-auto-extract',
    ]) {
      assert.throws(() => match('PUT', 'object', {}, { [header]: '1' }), {
        code: 'NotImplemented',
        details: { Header: header },
      });
    }
  });

  it('takes no notice of empty parameters', () => {
    const query = [
      { name: '', value: '' },
      { name: 'uploads', value: '' },
      { name: '', value: '' },
    ];
    assert.equal(
      matchOperation({ method: 'POST', address: addresses.object, query, headers: {} }).operation,
      'CreateMultipartUpload',
    );
  });
});

describe('responseOverrides', () => {
  it('gives header names and values', () => {
    const query = new Map([
      ['response-content-type', 'text/plain; charset=ü'],
      ['response-expires', ''],
      ['versionId', 'x'],
    ]);
    assert.deepEqual(responseOverrides(query), { 'content-type': 'text/plain; charset=ü', expires: '' });
  });

  for (const value of ['a\r\nset-cookie: x', '\0', 'ключ', '\u007f']) {
    it(`refuses ${JSON.stringify(value)}`, () =>
      assert.throws(() => responseOverrides(new Map([['response-content-disposition', value]])), {
        code: 'InvalidArgument',
      }));
  }
});
