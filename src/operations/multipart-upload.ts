import { decodeEnvelope, type Envelope } from '../envelope/envelope.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { ListedPart, UploadAddress } from '../store/object-store.ts';
import type { UploadChecksum, UploadRecord } from '../uploads/upload-ledger.ts';
import type { ObjectRequest } from './gateway.ts';

/** S3's smallest part, the last one apart; shorter ones are staged until Complete shows which is last. */
export const minPartBytes = 5 * 1024 ** 2;

/** The upload that a request names by `uploadId`. */
export function uploadAddress({ bucket, key, query }: ObjectRequest): UploadAddress {
  return { bucket, key, uploadId: query.get('uploadId') ?? '' };
}

/** What Create decided of an upload. */
export interface OpenUpload {
  readonly envelope: Envelope;
  /** Undefined where the client asked for none. */
  readonly checksum: UploadChecksum | undefined;
}

/**
 * What Create decided, through the ledger, so that any replica can go on.
 * @throws S3Error NoSuchUpload
 */
export async function findUpload(request: ObjectRequest): Promise<OpenUpload> {
  const record = await request.backend.ledger.find(uploadAddress(request), { signal: request.signal });
  if (record === undefined) throw s3Error('NoSuchUpload');
  return openUpload(record);
}

/** What a record of the ledger says. */
export function openUpload({ envelope, checksum }: UploadRecord): OpenUpload {
  return { envelope: decodeEnvelope(envelope), checksum };
}

/**
 * Asks the backend, which alone knows whether an upload is still open.
 * @throws S3Error NoSuchUpload
 */
export async function requireOpenUpload(request: ObjectRequest): Promise<void> {
  await request.backend.store.listParts({ ...uploadAddress(request), maxParts: 1 }, { signal: request.signal });
}

/** Every part that the backend has of an upload, page after page. */
export async function allBackendParts(request: ObjectRequest): Promise<readonly ListedPart[]> {
  const parts: ListedPart[] = [];
  let partNumberMarker: number | undefined;
  do {
    const page = await request.backend.store.listParts(
      { ...uploadAddress(request), ...(partNumberMarker === undefined ? {} : { partNumberMarker }) },
      { signal: request.signal },
    );
    parts.push(...page.parts);
    partNumberMarker = page.isTruncated ? page.nextPartNumberMarker : undefined;
  } while (partNumberMarker !== undefined);
  return parts;
}

/** Hex of an attempt tag, as it stands in part ETags and staged keys. */
export function tagHex(tag: Uint8Array): string {
  return Buffer.from(tag).toString('hex');
}
