import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CopyObjectRequest } from '../../../../src/store/object-store.ts';
import { scriptedBackend } from './scripted-backend.ts';

const request: CopyObjectRequest = {
  bucket: 'to',
  key: 'copy',
  source: { bucket: 'from', key: 'a b+c?ä/d', versionId: 'v/1' },
  metadata: 'REPLACE',
  tags: 'COPY',
  headers: { 'x-amz-meta-one': 'x' },
};

const done =
  '<CopyObjectResult><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"e"</ETag></CopyObjectResult>';
const failed = (code: string): string => `<Error><Code>${code}</Code><Message>m</Message></Error>`;

describe('copies in a backend that speaks S3', () => {
  it('name their source, encoded, and the conditions on both sides', async (context) => {
    const { store, seen } = await scriptedBackend(context, [
      { status: 200, headers: { 'x-amz-version-id': 'v2' }, pieces: [done] },
    ]);
    const result = await store.copyObject({
      ...request,
      sourceConditions: { ifMatch: '"s"', ifNoneMatch: '"n"', ifModifiedSince: 'then', ifUnmodifiedSince: 'now' },
      conditions: { ifNoneMatch: '*' },
    });
    assert.deepEqual([result.etag, result.lastModified], ['"e"', '2026-01-02T03:04:05.000Z']);
    assert.equal(result.headers['x-amz-version-id'], 'v2');
    const [sent] = seen;
    assert.deepEqual([sent?.method, sent?.target, sent?.headers['content-length']], ['PUT', '/to/copy', '0']);
    const expected = {
      'x-amz-copy-source': 'from/a%20b%2Bc%3F%C3%A4/d?versionId=v%2F1',
      'x-amz-copy-source-if-match': '"s"',
      'x-amz-copy-source-if-none-match': '"n"',
      'x-amz-copy-source-if-modified-since': 'then',
      'x-amz-copy-source-if-unmodified-since': 'now',
      'if-none-match': '*',
      'x-amz-metadata-directive': 'REPLACE',
      'x-amz-tagging-directive': 'COPY',
      'x-amz-meta-one': 'x',
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(sent?.headers[name], value, name);
  });

  it('fail where the body of a 200 says so, and are tried again where that helps', async (context) => {
    const { store, seen } = await scriptedBackend(context, [
      { status: 200, pieces: ['<?xml version="1.0"?>', failed('InternalError')] },
      { status: 200, pieces: [' \n', failed('SlowDown')] },
      { status: 200, pieces: [done] },
      { status: 200, pieces: [failed('InvalidRequest')] },
    ]);
    assert.equal((await store.copyObject(request)).etag, '"e"');
    assert.equal(seen.length, 3);
    await assert.rejects(store.copyObject(request), { code: 'InvalidRequest', status: 400 });
    assert.equal(seen.length, 4);
  });

  it('with a condition on the destination are not tried again once they may have taken place', async (context) => {
    const { store, seen } = await scriptedBackend(context, [{ status: 200, pieces: [failed('InternalError')] }]);
    await assert.rejects(store.copyObject({ ...request, conditions: { ifNoneMatch: '*' } }), { code: 'InternalError' });
    assert.equal(seen.length, 1);
  });

  it('may take longer than other answers, and send white space meanwhile', async (context) => {
    // undici looks at its timers twice a second at most: an answer has to be well behind that to be too late.
    const slow = { status: 200, pieces: [2500, ' ', 300, done] };
    const { store } = await scriptedBackend(context, [slow, slow], { headersTimeoutMs: 100, retries: 0 });
    assert.equal((await store.copyObject(request)).etag, '"e"');
    await assert.rejects(store.headBucket('bucket'), { code: 'ServiceUnavailable' });
  });

  it('call a source that is as the conditions have it a precondition that failed', async (context) => {
    const { store } = await scriptedBackend(context, [{ status: 304 }]);
    const conditional = { ...request, sourceConditions: { ifNoneMatch: '"s"' } };
    await assert.rejects(store.copyObject(conditional), { code: 'PreconditionFailed', status: 412 });
  });

  it('of parts name the upload and the range', async (context) => {
    const { store, seen } = await scriptedBackend(context, [
      { status: 200, pieces: [done.replaceAll('CopyObjectResult', 'CopyPartResult')] },
      { status: 200, pieces: [failed('SlowDown')] },
      { status: 304 },
    ]);
    const part = { bucket: 'to', key: 'copy', uploadId: 'u', partNumber: 3, source: { bucket: 'from', key: 'a b' } };
    assert.equal((await store.copyPart({ ...part, range: { first: 5, last: 9 } })).etag, '"e"');
    assert.deepEqual([seen[0]?.method, seen[0]?.target], ['PUT', '/to/copy?partNumber=3&uploadId=u']);
    assert.equal(seen[0]?.headers['x-amz-copy-source'], 'from/a%20b');
    assert.equal(seen[0]?.headers['x-amz-copy-source-range'], 'bytes=5-9');
    await assert.rejects(store.copyPart(part), { code: 'PreconditionFailed' });
    assert.equal(seen.length, 3);
  });

  it('fail where the answer is cut short', async (context) => {
    const { store } = await scriptedBackend(context, [{ status: 200, pieces: ['<CopyObjectResult>'] }], { retries: 0 });
    await assert.rejects(store.copyObject(request), { code: 'InternalError' });
  });
});
