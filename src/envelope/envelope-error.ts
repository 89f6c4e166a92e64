import { CodedError } from '../base/coded-error.ts';
import { AeadError } from '../crypto/aead.ts';
import { FloeError } from '../crypto/floe.ts';

/**
 * What is wrong with stored bytes. `not_format_1`: no object of this format (its size says so); `malformed`: a field
 * breaks the format; `unsupported`: a version or id that this reader does not know; `authentication_failed`: not what
 * was written under these keys in this place; `truncated`: a stream ended early; `size_mismatch`: lengths contradict.
 */
export type EnvelopeErrorCode =
  | 'not_format_1'
  | 'malformed'
  | 'unsupported'
  | 'authentication_failed'
  | 'truncated'
  | 'size_mismatch';

/** Stored bytes that are not a genuine object of format 1, or (`size_mismatch`) a plaintext of another length than announced. */
export class EnvelopeError extends CodedError<EnvelopeErrorCode> {}

/** The one error of everything that does not authenticate: which check failed is for the cause only. */
export function authenticationFailed(cause?: unknown): EnvelopeError {
  return new EnvelopeError('authentication_failed', 'stored bytes failed authentication', { cause });
}

/** Runs a synchronous cipher call; its own error for bad bytes becomes an EnvelopeError, any other passes unchanged. */
export function authenticated<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (error instanceof AeadError || (error instanceof FloeError && error.code !== 'closed')) {
      throw authenticationFailed(error);
    }
    throw error;
  }
}
