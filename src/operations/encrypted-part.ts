import type { ByteStream } from '../base/byte-stream.ts';
import { holdBackLast } from '../base/streams.ts';
import { encryptPart } from '../envelope/object-writer.ts';
import type { ObjectSecrets } from '../envelope/object-secrets.ts';
import { unwrapSecrets } from '../envelope/wrapped-dek.ts';
import { partEtag, withMd5Token } from '../s3/etag.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';
import { tagHex, uploadAddress, type OpenUpload } from './multipart-upload.ts';
import { mustWait } from './part-placement.ts';
import { checksumToken, md5Token, type PartAttempt, type PartChecksum } from './part-checksum.ts';

const maxPartNumber = 10_000;

/** A part of an upload as the client means it. */
export interface PartContent {
  readonly partNumber: number;
  readonly plaintext: ByteStream;
  readonly plaintextBytes: number;
  /** Of the plaintext, computed by this gateway; called once the plaintext has ended. */
  readonly checksum: () => PartChecksum | undefined;
  /** Likewise; where the policy wants it. */
  readonly md5?: () => Uint8Array | undefined;
}

/**
 * Encrypts a part while it streams, whatever its size, under a fresh FLOE IV, so that a part sent twice shares no key with
 * its first attempt. What the backend would not take where it is waits beside the upload (`mustWait`).
 * @returns The ETag that the client gets.
 */
export async function storeEncryptedPart(
  request: ObjectRequest,
  gateway: Gateway,
  upload: OpenUpload,
  content: PartContent,
): Promise<{ readonly etag: string }> {
  const { backend, signal } = request;
  const { partNumber, plaintext, plaintextBytes, checksum } = content;
  const address = uploadAddress(request);
  const isStaged = await mustWait(request, gateway, upload, content);
  if (partNumber === maxPartNumber && !isStaged) throw noRoomForIndex();
  const { envelope } = upload;
  using secrets = await unwrapSecrets(gateway.dataKeys, request, envelope, request.signal);
  const { suite, segmentSizeBytes } = envelope;
  const part = encryptPart({
    secrets,
    partNumber,
    suite,
    segmentSizeBytes,
    plaintext,
    plaintextBytes,
    pool: gateway.segmentPool,
  });
  const attemptTag = tagHex(part.attemptTag);
  // A stream of exactly the announced length can be whole for the backend before its end is verified.
  const body = holdBackLast(part.body);
  const stored = isStaged
    ? await backend.ledger.stagePart(
        address,
        { partNumber, attemptTag, plaintextBytes, body, lengthBytes: part.storedBytes },
        { signal },
      )
    : await backend.store.uploadPart({ ...address, partNumber, body, lengthBytes: part.storedBytes }, { signal });
  const known = checksum();
  const etag = shownPartEtag(secrets, { partNumber, attemptTag }, { ...content, backendEtag: stored.etag });
  gateway.knownParts.remember(
    { uploadId: address.uploadId, partNumber, backendEtag: stored.etag },
    { etag, checksum: known },
  );
  return { etag };
}

function shownPartEtag(
  secrets: ObjectSecrets,
  attempt: PartAttempt,
  { backendEtag, checksum, md5 }: Pick<PartContent, 'checksum' | 'md5'> & { readonly backendEtag: string },
): string {
  const known = checksum();
  const token = known === undefined ? undefined : checksumToken(secrets, attempt, known);
  const etag = partEtag(backendEtag, attempt.attemptTag, token);
  const digest = md5?.();
  return digest === undefined ? etag : withMd5Token(etag, md5Token(secrets, attempt, digest));
}

function noRoomForIndex(): Error {
  return s3Error(
    'InvalidArgument',
    'Part number 10000 of an encrypted upload is kept for its index: use part numbers 1 to 9999, or make the parts larger.',
    { details: { ArgumentName: 'partNumber', ArgumentValue: String(maxPartNumber) } },
  );
}
