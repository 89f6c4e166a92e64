import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { xmlResult, type ObjectRequest, type OperationResult } from '../../../src/operations/gateway.ts';
import { patiently } from '../../../src/operations/patience.ts';
import { s3Error } from '../../../src/s3/s3-error.ts';

const document = '<?xml version="1.0" encoding="UTF-8"?>\n<Done><ETag>&quot;e&quot;</ETag></Done>';

/** All that an answer reads of its request. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rest is not used
const request = { bucket: 'bucket', key: 'a b', requestId: 'ID' } as ObjectRequest;

async function textOf(result: OperationResult): Promise<{ readonly text: string; readonly chunks: number }> {
  assert.ok(typeof result.body === 'object');
  let text = '';
  let chunks = 0;
  for await (const chunk of result.body) {
    text += Buffer.from(chunk).toString();
    chunks += 1;
  }
  return { text, chunks };
}

async function after<T>(delayMs: number, work: () => T): Promise<T> {
  await sleep(delayMs);
  return work();
}

function fail(): never {
  throw s3Error('SlowDown');
}

describe('an answer that may take long', () => {
  it('is an ordinary one where it does not', async () => {
    const result = await patiently(request, Promise.resolve(xmlResult(document, { 'x-amz-version-id': 'v' })), 1000);
    assert.deepEqual(result, xmlResult(document, { 'x-amz-version-id': 'v' }));
    await assert.rejects(patiently(request, after(1, fail), 1000), { code: 'SlowDown', status: 503 });
  });

  it('begins with 200 and white space, and ends with its document', async () => {
    const result = await patiently(
      request,
      after(130, () => xmlResult(document)),
      20,
    );
    assert.equal(result.status, 200);
    const { text, chunks } = await textOf(result);
    assert.ok(chunks > 3, `${chunks} chunks`);
    assert.match(text, /^<\?xml version="1.0" encoding="UTF-8"\?>\n +<Done><ETag>&quot;e&quot;<\/ETag><\/Done>$/);
    assert.equal(result.lateFailure?.(), undefined);
  });

  it('ends with an error document where it fails late, and says so to whoever reports it', async () => {
    const result = await patiently(request, after(60, fail), 20);
    assert.equal(result.status, 200);
    const { text } = await textOf(result);
    assert.match(text, /^<\?xml[^>]*>\s+<Error><Code>SlowDown<\/Code>.*<Resource>\/bucket\/a%20b<\/Resource>/s);
    assert.match(text, /<RequestId>ID<\/RequestId>/);
    assert.equal(result.lateFailure?.()?.code, 'SlowDown');
  });

  it('that nobody reads any more is no unhandled failure', async () => {
    const result = await patiently(request, after(40, fail), 10);
    assert.ok(typeof result.body === 'object');
    const chunks = result.body[Symbol.asyncIterator]();
    await chunks.next();
    await chunks.return?.();
    await sleep(60);
    assert.equal(result.lateFailure?.()?.code, 'SlowDown');
  });
});
