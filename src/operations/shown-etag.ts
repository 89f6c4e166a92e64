import type { SealedChecksum } from '../envelope/envelope.ts';
import { clientEtag, plaintextEtag } from '../s3/etag.ts';
import type { ObjectHead } from '../store/object-store.ts';
import type { ObjectChecksums } from './checksums.ts';
import type { BucketRequest, Gateway, ObjectRequest } from './gateway.ts';
import type { OpenedObject } from './object-decryption.ts';
import { objectChecksums } from './object-checksums.ts';

/** Whether objects have the MD5 of their plaintext for an ETag, as far as it is sealed with them. */
export function showsMd5({ policy }: Pick<BucketRequest, 'policy'>): boolean {
  return policy.encryption.mode === 'required' && policy.encryption.etag === 'md5';
}

/** The ETag that clients are shown of an object with these checksums, by the request's policy. */
export function shownEtag(request: BucketRequest, backendEtag: string, sealed?: ObjectChecksums): string {
  if (request.policy.encryption.mode === 'off') return backendEtag;
  const md5 = showsMd5(request) ? sealed?.checksums.find(isMd5) : undefined;
  if (sealed === undefined || md5 === undefined) return clientEtag(backendEtag);
  return md5.type === 'composite' ? plaintextEtag(md5.value, sealed.partCount) : plaintextEtag(md5.value);
}

/**
 * The ETag that clients are shown of a stored object. Where it is the plaintext's MD5 and that is in the index alone, the
 * index takes a backend request the first time.
 */
export async function objectEtag(
  request: ObjectRequest,
  gateway: Gateway,
  opened: OpenedObject | undefined,
  head: ObjectHead,
): Promise<string> {
  if (opened === undefined || !showsMd5(request)) return shownEtag(request, head.etag);
  return shownEtag(request, head.etag, await sealedMd5(request, gateway, opened, head));
}

/** What is sealed with an object, with the MD5 among it if there is one. */
export async function sealedMd5(
  request: ObjectRequest,
  gateway: Gateway,
  opened: OpenedObject,
  head: ObjectHead,
): Promise<ObjectChecksums> {
  return await objectChecksums(request, gateway, { opened, head }, (checksums) => checksums.some(isMd5));
}

/** Whether a sealed checksum is the MD5. */
export function isMd5({ algorithm }: SealedChecksum): boolean {
  return algorithm === 'md5';
}
