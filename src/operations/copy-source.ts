import type { ByteStream } from '../base/byte-stream.ts';
import { releasing } from '../base/streams.ts';
import { copySourceConditions, parseCopySource, type CopySourceRange } from '../s3/copy-source.ts';
import { mapConditions } from '../s3/etag.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { ObjectHead } from '../store/object-store.ts';
import { authorizeRead, decide } from './authorization.ts';
import { addressOf } from './get-object.ts';
import type { Gateway, ObjectRequest } from './gateway.ts';
import { explainedByGet } from './head-failure.ts';
import { openObject, type OpenedObject } from './object-decryption.ts';
import { askedRange, readDecrypted } from './object-reading.ts';
import { plaintextConditions } from './plaintext-conditions.ts';
import { maxPutBytes } from './put-object.ts';

/** How often a copy begins again because its source was replaced under its hands. */
const maxAttempts = 5;

/** One state of the object that is copied; what reads it holds it to its ETag. Dispose of it. */
export interface CopySource extends Disposable {
  /** A request to the source's own bucket and key, under its own policy. */
  readonly request: ObjectRequest;
  readonly head: ObjectHead;
  /** Undefined for an object that is not encrypted. */
  readonly opened: OpenedObject | undefined;
  /** As clients see it. */
  readonly sizeBytes: number;
}

/**
 * Looks at the object that `x-amz-copy-source` names: the credential may read it, its conditions hold, its envelope is
 * genuine.
 * @throws S3Error; EnvelopeError; KeyError.
 */
async function openCopySource(request: ObjectRequest, gateway: Gateway): Promise<CopySource> {
  const named = sourceRequest(request, gateway);
  const head = await headSource(named, request, gateway);
  // The version that was looked at is the one that is copied, whatever is put over it meanwhile.
  const version = head.headers['x-amz-version-id'] ?? 'null';
  const source = version === 'null' ? named : { ...named, query: new Map([['versionId', version]]) };
  const opened = await openObject(gateway, source, head);
  return {
    request: source,
    head,
    opened,
    sizeBytes: opened?.plaintextBytes ?? head.sizeBytes,
    [Symbol.dispose]: () => opened?.secrets.dispose(),
  };
}

/**
 * Runs a copy of what is at the source now: it is bound to the ETag that was looked at, and where that is no more, and no
 * version was named, it begins again. Where it still is, the condition that failed is the client's own.
 */
export async function withCopySource<Result>(
  request: ObjectRequest,
  gateway: Gateway,
  copy: (source: CopySource) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    using source = await openCopySource(request, gateway);
    try {
      return await copy(source);
    } catch (error) {
      if (attempt === maxAttempts || !(await wasReplaced(error, source))) throw error;
    }
  }
}

async function wasReplaced(error: unknown, { request, head }: CopySource): Promise<boolean> {
  if (!(error instanceof S3Error) || error.code !== 'PreconditionFailed') return false;
  const { bucket, key, backend, signal, query } = request;
  if (query.has('versionId')) return false;
  const now = await backend.store.headObject({ bucket, key }, { signal });
  return now.etag !== head.etag;
}

/** @throws S3Error InvalidRequest for more bytes than S3 copies in one request. */
export function checkCopiedSize(sizeBytes: number): void {
  if (sizeBytes <= maxPutBytes) return;
  throw s3Error(
    'InvalidRequest',
    `The specified copy source is larger than the maximum allowable size for a copy source: ${maxPutBytes}`,
  );
}

/** Whether the request copies an object onto itself. */
export function isOntoItself(request: ObjectRequest): boolean {
  const { bucket, key, versionId } = parseCopySource(request.headers['x-amz-copy-source'] ?? '');
  return bucket === request.bucket && key === request.key && versionId === undefined;
}

function sourceRequest(request: ObjectRequest, gateway: Gateway): ObjectRequest {
  const { bucket, key, versionId } = parseCopySource(request.headers['x-amz-copy-source'] ?? '');
  authorizeRead(request, gateway, { bucket, key });
  const owner = request.headers['x-amz-source-expected-bucket-owner'];
  return {
    ...request,
    ...decide({ ...request, headers: { 'x-amz-expected-bucket-owner': owner } }, gateway, { bucket, key }),
    bucket,
    key,
    headers: {},
    query: versionId === undefined ? new Map<string, string>() : new Map([['versionId', versionId]]),
  };
}

async function headSource(source: ObjectRequest, { headers }: ObjectRequest, gateway: Gateway): Promise<ObjectHead> {
  const asked = await plaintextConditions(source, gateway, copySourceConditions(headers));
  const conditions = source.policy.encryption.mode === 'off' ? asked : mapConditions(asked);
  try {
    return await source.backend.store.headObject({ ...addressOf(source), conditions }, { signal: source.signal });
  } catch (error) {
    throw error instanceof S3Error ? await explained(error, source) : error;
  }
}

/** What S3 says of a copy is not what it says of a read; and a HEAD is answered without a document that says it. */
async function explained(error: S3Error, source: ObjectRequest): Promise<unknown> {
  if (error.code === 'NotModified' || error.code === 'PreconditionFailed') {
    return s3Error('PreconditionFailed', undefined, { cause: error });
  }
  if (error.code === 'MethodNotAllowed' && source.query.has('versionId')) {
    const message = 'The source of a copy request may not specifically refer to a delete marker by version id.';
    return s3Error('InvalidRequest', message, { cause: error });
  }
  return await explainedByGet(error, source);
}

/** The plaintext of a source or of a range of it. Consume it, or end its iteration, which may be done at any time. */
export async function readCopySource(
  { request, head, opened }: CopySource,
  gateway: Gateway,
  range?: CopySourceRange,
): Promise<ByteStream> {
  const asked = opened === undefined ? rangeOf(range) : askedRange(request, gateway, range);
  const stored = await request.backend.store.getObject(
    { ...addressOf(request), conditions: { ifMatch: head.etag }, ...asked },
    { signal: request.signal },
  );
  try {
    return opened === undefined
      ? releasing(stored.body, () => {})
      : await readDecrypted({ request, gateway, stored, opened, range });
  } catch (error) {
    await stored.discard();
    throw error;
  }
}

function rangeOf(range: CopySourceRange | undefined): { readonly range?: CopySourceRange } {
  return range === undefined ? {} : { range };
}
