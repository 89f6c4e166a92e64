import { readAll } from '../base/streams.ts';
import type { SealedChecksum } from '../envelope/envelope.ts';
import { parseHttpDate } from '../s3/conditions.ts';
import { copiedObjectHeaders, maxMetadataBytes, maxUserMetadataBytes } from '../s3/object-headers.ts';
import { s3Error } from '../s3/s3-error.ts';
import { parseTaggingDocument, renderTaggingHeader } from '../s3/tagging.ts';
import type { Headers } from '../store/object-store.ts';
import { sealedName, summed } from './checksums.ts';
import type { Copied, CopyDirectives } from './copy-object.ts';
import { readCopySource, type CopySource } from './copy-source.ts';
import { addressOf } from './get-object.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';
import { objectChecksums } from './object-checksums.ts';
import { storeEncrypted, storePlain } from './put-object.ts';
import { showsMd5, shownEtag } from './shown-etag.ts';

/** Ten tags with keys of 128 and values of 256 characters, escaped. */
const maxTaggingBytes = 64 * 1024;

/** A copy whose bytes stream through the gateway: decrypted where they were encrypted, encrypted where they have to be. */
export async function copyThroughGateway(
  source: CopySource,
  request: ObjectRequest,
  gateway: Gateway,
  directives: CopyDirectives,
): Promise<Copied> {
  const encrypts = request.policy.encryption.mode === 'required';
  const tags = directives.tags === 'COPY' ? await sourceTags(source) : {};
  const copied = copiedObjectHeaders({
    requested: request.headers,
    source: source.head.headers,
    ...directives,
    maxUserBytes: encrypts ? maxUserMetadataBytes : maxMetadataBytes,
  });
  const known = await sourceChecksums(source, request, gateway, directives);
  const content = summed(await readCopySource(source, gateway), known.toCompute);
  const checksums = (): readonly SealedChecksum[] => [...known.sealed, ...content.checksums()];
  const object = { headers: { ...copied, ...tags }, plaintext: content.body, plaintextBytes: source.sizeBytes };
  const storing = encrypts
    ? storeEncrypted(request, gateway, { ...object, declaredChecksums: known.sealed, checksums })
    : storePlain(request, object);
  // A copy that failed before it read anything leaves a connection to the source.
  const stored = await storing.catch(async (error: unknown) => {
    await content.body[Symbol.asyncIterator]().return?.();
    throw error;
  });
  const timeMs = parseHttpDate(stored.headers['date'] ?? '') ?? Date.now();
  const sealed = { checksums: encrypts ? checksums() : [], partCount: 1 };
  const etag = shownEtag(request, stored.etag, sealed);
  return { ...stored, etag, lastModified: new Date(timeMs).toISOString(), checksums: sealed.checksums };
}

/** Checksums that the copy has from its source, and those that have to be computed. */
interface KnownChecksums {
  readonly sealed: readonly SealedChecksum[];
  readonly toCompute: readonly SealedChecksum['algorithm'][];
}

/**
 * The one asked for takes the place of all others. A composite checksum is of parts, which the copy has not: S3 too gives
 * the copy one of the whole in its place.
 */
async function sourceChecksums(
  { opened, request: source, head }: CopySource,
  request: ObjectRequest,
  gateway: Gateway,
  { checksum: asked }: CopyDirectives,
): Promise<KnownChecksums> {
  const all = opened === undefined ? [] : (await objectChecksums(source, gateway, { opened, head })).checksums;
  const wanted = new Set(asked === undefined ? all.map(({ algorithm }) => algorithm) : [sealedName(asked)]);
  // Of the MD5 it is the destination's policy that says whether it is worth computing.
  if (showsMd5(request)) wanted.add('md5');
  else if (asked === undefined && all.length > 1) wanted.delete('md5');
  const sealed = all.filter(({ algorithm, type }) => type === 'full-object' && wanted.has(algorithm));
  for (const { algorithm } of sealed) wanted.delete(algorithm);
  return { sealed, toCompute: [...wanted] };
}

/** Tags do not come with the content; their number does. */
async function sourceTags({ request, head }: CopySource): Promise<Headers> {
  if (Number(head.headers['x-amz-tagging-count'] ?? 0) === 0) return {};
  const { bucket, key, versionId } = addressOf(request);
  const answer = await request.backend.store.subResource(
    {
      operation: 'GetObjectTagging',
      method: 'GET',
      bucket,
      key,
      query: { tagging: '', ...(versionId === undefined ? {} : { versionId }) },
      headers: {},
      document: new Uint8Array(),
    },
    { signal: request.signal },
  );
  const { body } = answer;
  if (body === undefined) return {};
  const document = await readAll(body, maxTaggingBytes, () => s3Error('InternalError', 'The tags are too long.'));
  return { 'x-amz-tagging': renderTaggingHeader(parseTaggingDocument(document, 'Object')) };
}
