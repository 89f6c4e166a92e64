import type { SealedChecksum } from '../envelope/envelope.ts';
import type { ChecksumAlgorithm } from '../s3/checksum.ts';
import { copyDirective } from '../s3/copy-source.ts';
import { responseObjectHeaders } from '../s3/object-headers.ts';
import { renderCopyResult } from '../s3/response-documents.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { CopyDirective, CopyResult } from '../store/object-store.ts';
import { checksumElements, sealedName } from './checksums.ts';
import { checkCopiedSize, isOntoItself, withCopySource, type CopySource } from './copy-source.ts';
import { copyThroughGateway } from './copy-through-gateway.ts';
import { copyWithinBackend } from './copy-within-backend.ts';
import { xmlResult, type Gateway, type ObjectRequest, type OperationResult } from './gateway.ts';
import { objectChecksums } from './object-checksums.ts';
import { patiently } from './patience.ts';
import { checkSize } from './put-object.ts';
import { isMd5, sealedMd5, showsMd5 } from './shown-etag.ts';
import { requestedAlgorithm } from './upload-checksum.ts';

/** What a client's copy takes over from its source. */
export interface CopyDirectives {
  readonly metadata: CopyDirective;
  readonly tags: CopyDirective;
  /** Algorithm of the checksum that takes the place of the source's; undefined where those are taken over. */
  readonly checksum: ChecksumAlgorithm | undefined;
}

/** A copy that is done. */
export interface Copied extends CopyResult {
  /** As the client is shown it. */
  readonly etag: string;
  readonly checksums: readonly SealedChecksum[];
}

/**
 * CopyObject. From one encrypted bucket to another of the same backend the object's key is wrapped anew and the backend
 * copies the bytes; where one side is not encrypted, or is in another backend, they stream through the gateway.
 */
export async function copyObject(request: ObjectRequest, gateway: Gateway): Promise<OperationResult> {
  const directives = {
    metadata: copyDirective(request.headers, 'metadata'),
    tags: copyDirective(request.headers, 'tagging'),
    checksum: requestedAlgorithm(request.headers),
  };
  refuseUnchanged(request, directives);
  const copying = withCopySource(request, gateway, async (source) =>
    rendered(source, await copyFrom(source, request, gateway, directives)),
  );
  return await patiently(request, copying);
}

async function copyFrom(
  source: CopySource,
  request: ObjectRequest,
  gateway: Gateway,
  directives: CopyDirectives,
): Promise<Copied> {
  checkCopiedSize(source.sizeBytes);
  checkSize(source.sizeBytes, request.policy.limits.maxObjectBytes);
  const hasForm = source.request.backend.name === request.backend.name && hasSameForm(source, request);
  const within = hasForm && (await hasMd5(source, request, gateway));
  const known = within ? await knownChecksums(source, request, gateway, directives) : undefined;
  return known === undefined
    ? copyThroughGateway(source, request, gateway, directives)
    : copyWithinBackend(source, request, gateway, { ...directives, checksums: known });
}

/** Whether what is stored at the source is also what has to be stored at the destination. */
function hasSameForm({ opened }: CopySource, { policy }: ObjectRequest): boolean {
  return (opened !== undefined) === (policy.encryption.mode === 'required');
}

/**
 * The checksums that the copy gets without a look at its bytes; undefined where the one asked for has to be computed. The
 * backend computes those of what is not encrypted.
 */
async function knownChecksums(
  { opened, request: source, head }: CopySource,
  request: ObjectRequest,
  gateway: Gateway,
  { checksum }: CopyDirectives,
): Promise<readonly SealedChecksum[] | undefined> {
  if (opened === undefined) return [];
  const { checksums: announced } = opened.metadata;
  if (checksum === undefined) return announced;
  const name = sealedName(checksum);
  const { checksums } = await objectChecksums(source, gateway, { opened, head });
  const known = checksums.find(({ algorithm, type }) => algorithm === name && type === 'full-object');
  if (known === undefined) return undefined;
  return [known, ...(showsMd5(request) && !isMd5(known) ? announced.filter(isMd5) : [])];
}

/** Whether the copy gets the MD5 that it has to have from its source. */
async function hasMd5(
  { opened, request: source, head }: CopySource,
  request: ObjectRequest,
  gateway: Gateway,
): Promise<boolean> {
  if (opened === undefined || !showsMd5(request)) return true;
  const { checksums } = await sealedMd5(source, gateway, opened, head);
  return checksums.some(isMd5);
}

/** Headers of which each makes a copy of an object onto itself a change. */
const changingHeaders = /^x-amz-(?:storage-class|website-redirect-location|server-side-encryption.*)$/;

function refuseUnchanged(request: ObjectRequest, { metadata, tags }: CopyDirectives): void {
  const changes = metadata === 'REPLACE' || tags === 'REPLACE';
  if (changes || !isOntoItself(request)) return;
  if (Object.keys(request.headers).some((name) => changingHeaders.test(name))) return;
  throw s3Error(
    'InvalidRequest',
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's " +
      'metadata, storage class, website redirect location or encryption attributes.',
  );
}

function rendered(source: CopySource, copied: Copied): OperationResult {
  const version = source.head.headers['x-amz-version-id'];
  return xmlResult(
    renderCopyResult('CopyObjectResult', {
      etag: copied.etag,
      lastModified: copied.lastModified,
      checksums: checksumElements({ checksums: copied.checksums, partCount: 1 }),
    }),
    {
      ...responseObjectHeaders(copied.headers),
      ...(version === undefined ? {} : { 'x-amz-copy-source-version-id': version }),
    },
  );
}
