import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { s3Error } from '../../../../src/s3/s3-error.ts';
import { asStoreFault, isBusy, isMissingFile } from '../../../../src/store/filesystem/faults.ts';
import { temporaryRoot } from './helpers.ts';

describe('asStoreFault', () => {
  it('passes S3Errors', () => {
    const error = s3Error('NoSuchKey');
    assert.equal(asStoreFault(error), error);
  });

  it('tells a full disk, too many open files and everything else apart, and keeps the cause', () => {
    const table = [
      ['ENOSPC', 'ServiceUnavailable', 503],
      ['EDQUOT', 'ServiceUnavailable', 503],
      ['EMFILE', 'SlowDown', 503],
      ['EIO', 'InternalError', 500],
    ] as const;
    for (const [code, answer, status] of table) {
      const cause = Object.assign(new Error(code), { code });
      const fault = asStoreFault(cause);
      assert.deepEqual([fault.code, fault.status, fault.cause], [answer, status, cause]);
      assert.equal(isMissingFile(cause), false);
    }
    assert.equal(asStoreFault('text').code, 'InternalError');
  });

  it('takes a locked index for a reason to wait', async (context) => {
    const path = join(await temporaryRoot(context), 'a.sqlite');
    const holder = new DatabaseSync(path);
    const other = new DatabaseSync(path, { timeout: 0 });
    holder.exec('BEGIN EXCLUSIVE');
    assert.throws(
      () => other.exec('BEGIN EXCLUSIVE'),
      (error) => isBusy(error) && asStoreFault(error).code === 'SlowDown',
    );
    other.close();
    holder.close();
  });
});
