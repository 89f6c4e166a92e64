import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { s3Error } from '../../../../src/s3/s3-error.ts';
import { translated } from '../../../../src/store/s3/backend-errors.ts';

const messageFor = (message: string): string => translated(s3Error('AccessDenied', message), {}).message;

describe('what a backend denies', () => {
  it('is told in S3’s words where an object is locked', () => {
    const locked = 'Access Denied because object protected by object lock.';
    assert.equal(messageFor(locked), locked);
    assert.equal(messageFor('Denied by Object Lock of tenant 7'), locked);
  });

  it('else says nothing of the backend’s users and policies', () => {
    for (const message of ['Access Denied', 'user arn:aws:iam::7:user/s3eg may not s3:PutObject']) {
      assert.equal(messageFor(message), 'The storage backend denied access.');
    }
  });
});
