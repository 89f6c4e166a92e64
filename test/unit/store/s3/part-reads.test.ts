import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { collect } from '../../../contract/object-store/harness.ts';
import { scriptedBackend } from './scripted-backend.ts';

const whole = { status: 200, headers: { etag: '"e"', 'content-length': '7' }, pieces: ['content'] };

describe('reads of parts from a backend that speaks S3', () => {
  it('name the part and take its place from the answer', async (context) => {
    const headers = {
      etag: '"e-2"',
      'content-length': '3',
      'content-range': 'bytes 5-7/8',
      'x-amz-mp-parts-count': '2',
    };
    const { store, seen } = await scriptedBackend(context, [{ status: 206, headers, pieces: ['end'] }]);
    const part = await store.getObject({ bucket: 'bucket', key: 'k', versionId: 'v', partNumber: 2 });
    assert.deepEqual([part.offsetBytes, part.lengthBytes, part.sizeBytes], [5, 3, 8]);
    assert.equal((await collect(part.body)).toString(), 'end');
    assert.equal(seen[0]?.target, '/bucket/k?versionId=v&partNumber=2');
  });

  it('do not take a whole object for a part that is not its first', async (context) => {
    const { store } = await scriptedBackend(context, [whole, whole]);
    const first = await store.getObject({ bucket: 'bucket', key: 'k', partNumber: 1 });
    assert.equal((await collect(first.body)).toString(), 'content');
    await assert.rejects(store.getObject({ bucket: 'bucket', key: 'k', partNumber: 2 }), { code: 'NotImplemented' });
  });
});
