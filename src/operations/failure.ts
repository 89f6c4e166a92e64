import { CodedError } from '../base/coded-error.ts';
import { EnvelopeError } from '../envelope/envelope-error.ts';
import { KeyRefusedError } from '../keys/key-errors.ts';
import { KeyError } from '../keys/key-provider.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';

/** Seconds after which a client should try again when the key service is away. */
const retryAfterSeconds = '5';

/**
 * What the client is told of any failure. Everything that means "the stored bytes are not what we stored" looks alike
 * outside; the log has the reason.
 */
export function toS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (error instanceof EnvelopeError) return s3Error('ObjectCorrupted', undefined, { cause: error });
  if (error instanceof KeyError) return fromKeyError(error);
  if (error instanceof CodedError) {
    // The listener's own errors: the client stalled, left, or broke the framing.
    if (error.code === 'idle_timeout') return s3Error('RequestTimeout', undefined, { cause: error });
    if (error.code === 'aborted' || error.code === 'malformed') {
      return s3Error('IncompleteBody', undefined, { cause: error });
    }
  }
  return s3Error('InternalError', undefined, { cause: error });
}

function fromKeyError(error: KeyError): S3Error {
  switch (error.code) {
    case 'unavailable':
      return s3Error('KeyUnavailable', undefined, { cause: error, headers: { 'retry-after': retryAfterSeconds } });
    case 'outside_window':
    case 'not_found':
      return s3Error('KeyVersionNotReadable', error.message, { cause: error });
    case 'wrong_key':
      return s3Error('ObjectCorrupted', undefined, { cause: error });
    default: {
      // What else is wrong with a key is the operator's business.
      const message =
        error instanceof KeyRefusedError ? error.publicMessage : 'The gateway cannot use its encryption key.';
      return s3Error('InternalError', message, { cause: error });
    }
  }
}

/** The reason for the metric and the log when stored bytes did not decrypt; undefined for every other failure. */
export function decryptionFailureReason(error: unknown): string | undefined {
  const cause = error instanceof S3Error ? error.cause : error;
  if (cause instanceof EnvelopeError) return cause.code;
  if (cause instanceof KeyError && cause.code !== 'unavailable') return `key_${cause.code}`;
  if (error instanceof S3Error && error.code === 'ObjectNotEncrypted') return 'not_encrypted';
  return undefined;
}
