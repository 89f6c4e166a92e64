import { CodedError } from '../base/coded-error.ts';
import { errorCatalogue, type S3ErrorCode } from './error-catalogue.ts';

/** Extra elements of the error document, e.g. `BucketName`, `Condition`, `ArgumentName`. */
export type S3ErrorDetails = Readonly<Record<string, string>>;

interface S3ErrorOptions {
  readonly cause?: unknown;
  readonly status?: number;
  readonly details?: S3ErrorDetails;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * An error of the S3 dialect: code, HTTP status and message as the client will see them.
 * A backend's own codes that are not in the catalogue pass with the status that the backend gave.
 */
export class S3Error extends CodedError<string> {
  readonly status: number;
  readonly details: S3ErrorDetails;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: string, message: string, options: S3ErrorOptions & { readonly status: number }) {
    super(code, message, options);
    this.status = options.status;
    this.details = options.details ?? {};
    this.headers = options.headers ?? {};
  }
}

/** An error from the catalogue; `message` defaults to the catalogue's. */
export function s3Error(code: S3ErrorCode, message?: string, options: S3ErrorOptions = {}): S3Error {
  const entry = errorCatalogue[code];
  return new S3Error(code, message ?? entry.message, { status: entry.status, ...options });
}
