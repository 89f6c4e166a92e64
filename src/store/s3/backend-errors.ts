import { parseErrorAnswer } from '../../s3/documents.ts';
import { errorCatalogue, type S3ErrorCode } from '../../s3/error-catalogue.ts';
import { S3Error, s3Error } from '../../s3/s3-error.ts';
import type { Headers } from '../object-store.ts';
import { TransportError, type WireResponse } from './transport.ts';

const maxErrorBytes = 64 * 1024;
const retryAfter = { 'retry-after': '1' } as const;

/** Answers about the gateway's own request: its credentials, its region, its clock. The client did nothing wrong. */
const refusalCodes: ReadonlySet<string> = new Set([
  'AuthorizationHeaderMalformed',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidSecurity',
  'InvalidToken',
  'InvalidTokenId',
  'PermanentRedirect',
  'RequestExpired',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
  'XAmzContentSHA256Mismatch',
]);

/** What an error answer tells beside its code; sizes of ciphertext and the backend's ids are not among it. */
const shownHeaders = [
  'etag',
  'last-modified',
  'cache-control',
  'expires',
  'allow',
  'x-amz-delete-marker',
  'x-amz-version-id',
];
const shownDetails = ['ArgumentName', 'ArgumentValue', 'Condition', 'BucketName', 'PartNumber', 'UploadId'];

/** The backend refused the gateway itself: a 503 for the client, and something that an operator must hear of. */
export class CredentialsRefusedError extends S3Error {
  readonly backendCode: string;

  constructor(backendCode: string, cause: unknown) {
    super('ServiceUnavailable', "The storage backend refused the gateway's own credentials, region or clock.", {
      status: 503,
      cause,
      headers: retryAfter,
    });
    this.backendCode = backendCode;
  }
}

/** The backend asks for fewer requests; `backendDelayMs` is how long it wants to be left alone, 0 where it does not say. */
export class BackendBusyError extends S3Error {
  readonly backendDelayMs: number;

  constructor(cause: S3Error, headers: Headers) {
    const seconds = /^\d{1,4}$/.exec(headers['retry-after'] ?? '')?.[0];
    super('SlowDown', errorCatalogue.SlowDown.message, {
      status: errorCatalogue.SlowDown.status,
      cause,
      headers: seconds === undefined ? retryAfter : { 'retry-after': seconds },
    });
    this.backendDelayMs = Number(seconds ?? 0) * 1000;
  }
}

/**
 * Reads an error answer to its end and makes of it what the client may see.
 * @param missing code for a 404 whose body does not tell what is missing.
 */
export async function errorOf(response: WireResponse, missing: S3ErrorCode): Promise<S3Error> {
  const { status, headers, body } = response;
  const text = await body.collect(maxErrorBytes).catch(() => Buffer.alloc(0));
  await body.discard();
  const error = parseErrorAnswer({ status, body: text, ...(status === 404 ? { fallback: missing } : {}) });
  return translated(error, headers);
}

/** As `errorOf`, for an error that a 200 answer carried in its body. */
export function translated(error: S3Error, headers: Headers): S3Error {
  if (refusalCodes.has(error.code) || (error.status >= 300 && error.status < 400 && error.status !== 304)) {
    return new CredentialsRefusedError(error.code, error);
  }
  if (error.code === 'AccessDenied') {
    // What the lock of an object denies is the client's affair; all else may be about the gateway's own rights.
    const message = /\bobject lock\b/i.test(error.message)
      ? 'Access Denied because object protected by object lock.'
      : 'The storage backend denied access.';
    return s3Error('AccessDenied', message, { cause: error, headers: shown(headers) });
  }
  if (error.status === 429 || error.status === 503) return new BackendBusyError(error, headers);
  if (error.status === 502 || error.status === 504) return unavailable(error);
  return new S3Error(error.code, error.message, {
    status: error.status,
    cause: error,
    headers: shown(headers),
    details: pick(error.details, shownDetails),
  });
}

/** The backend cannot be reached, does not answer in time, or breaks off. */
export function unavailable(cause: unknown): S3Error {
  const message =
    cause instanceof TransportError
      ? 'The storage backend cannot be reached.'
      : 'The storage backend is not available.';
  return s3Error('ServiceUnavailable', message, { cause, headers: retryAfter });
}

function shown(headers: Headers): Headers {
  return pick(headers, shownHeaders);
}

function pick(record: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const name of names) {
    const value = record[name];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}
