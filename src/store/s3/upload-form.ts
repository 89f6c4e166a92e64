import type { Clock } from '../../base/clock.ts';
import { S3Error } from '../../s3/s3-error.ts';
import type { Headers } from '../object-store.ts';
import { CredentialsRefusedError } from './backend-errors.ts';
import { UploadBody } from './upload-body.ts';

/** Bodies up to this are gathered and sent in one write together with the headers. */
export const gatherLimitBytes = 64 * 1024;
const maxBuckets = 1024;
const memoryMs = 12 * 3_600_000;

/**
 * How an upload carries a checksum of the stored bytes, which S3 wants of everything that is to be locked:
 *
 * - `plain`: not at all, for TLS and the gateway's own encryption guard the bytes.
 * - `md5`: a small object with Content-MD5, which every backend knows.
 * - `header`: a small part with the CRC-32 that its upload announced.
 * - `trailer`: the CRC-32 after the last byte, for what is too long to be gathered.
 * - `announced`: the creation of an upload whose parts will have CRC-32s.
 */
export type UploadForm = 'plain' | 'md5' | 'header' | 'trailer' | 'announced';

/** What of a call decides its form. */
export interface FormedCall {
  readonly operation: string;
  readonly bucket?: string;
  readonly headers?: Headers;
  readonly body?: Uint8Array | UploadBody;
}

/**
 * Which uploads need a checksum, as far as one backend has shown: objects with lock headers always; a bucket's other
 * uploads once it has refused one, as a bucket with a default retention does. Uploads in parts follow the bucket alone,
 * for MinIO wants of an upload that announced checksums all of them again at its end.
 */
export class UploadForms {
  readonly #clock: Clock;
  /** Whether a bucket wants them, by the time at which it showed. */
  readonly #buckets = new Map<string, { readonly isWanted: boolean; readonly untilMs: number }>();
  /** The backend does not know CRC-32s of uploads: until then it gets none. */
  #plainUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How to send a call, by what is known now. */
  formOf(call: FormedCall): UploadForm {
    const { operation, body } = call;
    const isUpload = body instanceof UploadBody;
    if ((!isUpload && operation !== 'CreateMultipartUpload') || !this.#wanted(call)) return 'plain';
    const isSmall = isUpload && body.lengthBytes <= gatherLimitBytes;
    if (isSmall && operation === 'PutObject') return 'md5';
    if (this.#clock.now() < this.#plainUntilMs) return 'plain';
    if (!isUpload) return 'announced';
    return isSmall ? 'header' : 'trailer';
  }

  /** Takes what a failed call shows of the backend. @returns Whether the call would now be sent in another form. */
  learn(call: FormedCall, sent: UploadForm, failure: unknown): boolean {
    if (sent === 'plain' && wantsChecksum(failure)) this.remember(call.bucket ?? '', true);
    else if (sent !== 'plain' && sent !== 'md5' && refusesCrc(failure)) {
      this.#plainUntilMs = this.#clock.now() + memoryMs;
    } else return false;
    return this.formOf(call) !== sent;
  }

  /** Whether a bucket wants checksums; undefined where that has not shown. */
  wantedIn(bucket: string): boolean | undefined {
    const known = this.#buckets.get(bucket);
    return known !== undefined && this.#clock.now() < known.untilMs ? known.isWanted : undefined;
  }

  /** Keeps whether a bucket wants checksums; of too many buckets, those that showed it last. */
  remember(bucket: string, isWanted: boolean): void {
    this.#buckets.delete(bucket);
    this.#buckets.set(bucket, { isWanted, untilMs: this.#clock.now() + memoryMs });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > maxBuckets && oldest !== undefined) this.#buckets.delete(oldest);
  }

  #wanted({ operation, bucket, headers }: FormedCall): boolean {
    if (operation === 'PutObject' && headers !== undefined && hasLock(headers)) return true;
    return bucket !== undefined && this.wantedIn(bucket) === true;
  }
}

/** Whether an object or upload is to be locked from the start. */
export function hasLock(headers: Headers): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase().startsWith('x-amz-object-lock-'));
}

/**
 * Codes differ. S3: "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock
 * parameters", for parts "… for Put Part requests …"; moto: "Content-MD5 or x-amz-sdk-checksum-algorithm header required
 * to upload an object with a retention period configured using Object Lock".
 */
function wantsChecksum(failure: unknown): boolean {
  if (!(failure instanceof S3Error) || failure.status !== 400) return false;
  return /\bcontent-md5\b/i.test(failure.message) && /\bobject lock\b/i.test(failure.message);
}

/** The backend takes the coding of the body for its SHA-256, or does not know one of the headers. */
function refusesCrc(failure: unknown): boolean {
  if (failure instanceof CredentialsRefusedError) return failure.backendCode === 'XAmzContentSHA256Mismatch';
  if (!(failure instanceof S3Error) || wantsChecksum(failure)) return false;
  if (failure.code === 'NotImplemented') return true;
  const isAboutRequest = failure.code === 'InvalidArgument' || failure.code === 'InvalidRequest';
  const said = `${failure.message} ${failure.details['ArgumentName'] ?? ''}`;
  return isAboutRequest && /x-amz-(?:content-sha256|trailer|(?:sdk-)?checksum)|aws-chunked/i.test(said);
}
