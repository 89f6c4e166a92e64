import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import type { S3Request } from './support/client.ts';
import { suiteWithGateway } from './support/suite.ts';
import { textOf } from './support/xml.ts';

describe('what the gateway does not do', () => {
  const suite = suiteWithGateway(['bucket']);
  before(async () => {
    await suite.s3.put('bucket', 'victim', 'as it was');
  });

  const assertRefused = async (request: S3Request, outcome: string): Promise<void> => {
    const name = `${request.method} ${request.key ?? request.bucket ?? '/'} ${JSON.stringify(request.query)}`;
    const answer = await suite.s3.send(request);
    if (request.method === 'HEAD') assert.equal(String(answer.status), outcome.slice(0, 3), name);
    else assert.equal(answer.outcome, outcome, name);
    assert.equal((await suite.s3.get('bucket', 'victim')).text, 'as it was', name);
  };

  it('is answered 501 and not taken for something that it does', async () => {
    const object = { bucket: 'bucket', key: 'victim' };
    const bucket = { bucket: 'bucket' };
    for (const request of [
      // Sub-resources and parameters that S3 may learn one day.
      { method: 'GET', ...object, query: { unknown: '' } },
      { method: 'PUT', ...object, query: { unknown: '' }, body: 'x' },
      { method: 'DELETE', ...object, query: { unknown: '' } },
      { method: 'HEAD', ...object, query: { unknown: '1' } },
      { method: 'GET', ...bucket, query: { unknown: '' } },
      { method: 'DELETE', ...bucket, query: { unknown: '' } },
      { method: 'PUT', ...object, query: { 'X-Unknown': 'x' }, body: 'x' },
      // Names of S3 in a spelling that is not S3's.
      { method: 'DELETE', ...object, query: { UploadId: 'x' } },
      { method: 'GET', ...bucket, query: { Prefix: 'x' } },
      // Operations that need to see plaintext in the provider.
      { method: 'GET', ...object, query: { torrent: '' } },
      { method: 'POST', ...object, query: { select: '', 'select-type': '2' }, body: '<x/>' },
    ]) {
      await assertRefused(request, '501 NotImplemented');
    }
  });

  it('is answered 405 where S3 has no such method', async () => {
    for (const request of [
      { method: 'PATCH', bucket: 'bucket', key: 'victim', body: 'x' },
      { method: 'POST', bucket: 'bucket', key: 'victim' },
      { method: 'TRACE', bucket: 'bucket', key: 'victim' },
      { method: 'PUT' },
      { method: 'DELETE' },
      { method: 'POST' },
      { method: 'PUT', bucket: 'bucket', key: 'victim', query: { uploads: '' }, body: 'x' },
      { method: 'GET', bucket: 'bucket', query: { delete: '' } },
    ]) {
      await assertRefused(request, '405 MethodNotAllowed');
    }
  });

  it('is answered 400 where parameters do not go together', async () => {
    const object = { bucket: 'bucket', key: 'victim' };
    for (const request of [
      { method: 'GET', ...object, query: { 'list-type': '2' } },
      { method: 'PUT', ...object, query: { uploadId: 'x' }, body: 'x' },
      { method: 'DELETE', ...object, query: { partNumber: '1' } },
      { method: 'GET', bucket: 'bucket', query: { 'list-type': '3' } },
      { method: 'GET', bucket: 'bucket', query: { 'list-type': '2', marker: 'x' } },
    ]) {
      const answer = await suite.s3.send(request);
      assert.ok([400, 405, 501].includes(answer.status), `${JSON.stringify(request)}: ${answer.outcome}`);
      assert.equal((await suite.s3.get('bucket', 'victim')).text, 'as it was');
    }
  });

  it('is answered 400 for a parameter that is given twice', async () => {
    for (const request of [
      { method: 'GET', bucket: 'bucket', query: { prefix: ['a', 'b'] } },
      { method: 'GET', bucket: 'bucket', query: { 'list-type': ['2', '2'] } },
      { method: 'DELETE', bucket: 'bucket', key: 'victim', query: { versionId: ['null', 'null'] } },
      { method: 'GET', bucket: 'bucket', key: 'victim', query: { uploadId: ['a', 'b'] } },
    ]) {
      await assertRefused(request, '400 InvalidArgument');
    }
  });

  it('names what it does not know, and only that', async () => {
    const { s3 } = suite;
    const answer = await s3.send({ method: 'GET', bucket: 'bucket', query: { '<script>': '1' } });
    assert.equal(answer.outcome, '501 NotImplemented');
    assert.equal(textOf(answer.xml, 'Parameter'), '<script>');
    assert.doesNotMatch(answer.text, /<script>/);
  });
});
