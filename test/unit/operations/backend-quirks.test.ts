import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { requireConditions } from '../../../src/operations/backend-quirks.ts';
import type { BucketRequest } from '../../../src/operations/gateway.ts';
import { S3Error } from '../../../src/s3/s3-error.ts';
import type { ConditionalWrite } from '../../../src/store/quirks.ts';

/** As much of a request as is looked at. */
function requestTo(ignoresConditions: readonly ConditionalWrite[], headers: Readonly<Record<string, string>>) {
  const request: Pick<BucketRequest, 'headers'> & { backend: Pick<BucketRequest['backend'], 'quirks'> } = {
    headers,
    backend: { quirks: { ignoresConditions, equalPartSizes: false } },
  };
  return request;
}

function refuses(operation: string, ignored: readonly ConditionalWrite[], headers: Readonly<Record<string, string>>) {
  assert.throws(
    () => requireConditions(requestTo(ignored, headers), operation),
    (error: unknown) => error instanceof S3Error && error.code === 'NotImplemented' && error.status === 501,
    operation,
  );
}

function takes(operation: string, ignored: readonly ConditionalWrite[], headers: Readonly<Record<string, string>>) {
  requireConditions(requestTo(ignored, headers), operation);
}

describe('conditions that a backend ignores', () => {
  it('are refused for the writes that it is said to do nevertheless', () => {
    refuses('PutObject', ['PutObject'], { 'if-none-match': '*' });
    refuses('DeleteObject', ['PutObject', 'DeleteObject'], { 'if-match': '"x"' });
    refuses('CompleteMultipartUpload', ['CompleteMultipartUpload'], { 'if-none-match': '*' });
  });

  it('are refused for a copy where puts ignore them, which a copy between policies is', () => {
    refuses('CopyObject', ['PutObject'], { 'if-none-match': '*' });
    takes('CopyObject', ['DeleteObject'], { 'if-none-match': '*' });
  });

  it('do not concern reads, other writes, or requests without a condition', () => {
    takes('GetObject', ['PutObject', 'DeleteObject'], { 'if-match': '"x"' });
    takes('DeleteObject', ['PutObject'], { 'if-match': '"x"' });
    takes('PutObject', ['PutObject'], { 'content-type': 'text/plain' });
    takes('PutObject', [], { 'if-none-match': '*' });
  });
});
