import { messageOf } from '../../base/message-of.ts';
import { CodedError } from '../../base/coded-error.ts';
import { s3Error, S3Error } from '../../s3/s3-error.ts';

/** The store under a root cannot be opened: `newer_layout` was written by a later release, `cannot_open` is all else. */
export class StoreOpenError extends CodedError<'newer_layout' | 'cannot_open'> {}

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const sqliteBusy = 5;
const sqliteLocked = 6;
const sqliteFull = 13;

/**
 * What a client is told of a fault of the disk or of the index: SlowDown where waiting helps, ServiceUnavailable where
 * the disk is full, InternalError else. S3Errors pass as they are.
 */
export function asStoreFault(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  const { code, errcode } = faultCodes(error);
  if (errcode === sqliteBusy || errcode === sqliteLocked || code === 'EMFILE' || code === 'ENFILE') {
    return s3Error('SlowDown', undefined, { cause: error });
  }
  if (errcode === sqliteFull || code === 'ENOSPC' || code === 'EDQUOT') {
    return s3Error('ServiceUnavailable', 'The store has no space left.', { cause: error });
  }
  return s3Error('InternalError', undefined, { cause: error });
}

/** What the operator is told when a store does not open: the fault itself, not what a client would see of it. */
export function asOpenError(error: unknown, root: string): StoreOpenError {
  const cause = error instanceof S3Error ? error.cause : error;
  if (cause instanceof StoreOpenError) return cause;
  const reason = messageOf(cause);
  return new StoreOpenError('cannot_open', `cannot open the store under ${root}: ${reason}`, { cause });
}

/** The file is not there. */
export function isMissingFile(error: unknown): boolean {
  return faultCodes(error).code === 'ENOENT';
}

/** Another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return faultCodes(error).errcode === sqliteBusy;
}

function faultCodes(error: unknown): { readonly code?: unknown; readonly errcode?: number } {
  if (typeof error !== 'object' || error === null) return {};
  const code = 'code' in error ? error.code : undefined;
  // The low byte is the primary code; the rest tells variants such as SQLITE_BUSY_SNAPSHOT apart.
  if ('errcode' in error && typeof error.errcode === 'number') return { code, errcode: error.errcode & 0xff };
  return { code };
}
