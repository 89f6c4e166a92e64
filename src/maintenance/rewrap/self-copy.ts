import { randomUUID } from 'node:crypto';

import { readAll, streamOf } from '../../base/streams.ts';
import { S3Error, s3Error } from '../../s3/s3-error.ts';
import { parseTaggingDocument, renderTaggingHeader } from '../../s3/tagging.ts';
import type { CompletedPart, Headers, ObjectHead, ObjectStore, WriteResult } from '../../store/object-store.ts';

const gibibyte = 1024 ** 3;
const maxParts = 10_000;
const maxTaggingBytes = 64 * 1024;

/** Largest object that S3 copies in one request. */
export const maxSingleCopyBytes = 5 * gibibyte;

/**
 * Where a backend evaluates a condition on the object that is replaced: at a copy, only at the end of an upload in parts
 * (MinIO), or nowhere.
 */
export type CopyGuard = 'copy' | 'complete' | 'none';

/** Where copies are made, how, and how large one may be. */
export interface SelfCopyOptions {
  readonly store: ObjectStore;
  readonly bucket: string;
  /** With `complete` every copy is made as an upload in parts, which costs the backend a copy of the bytes. */
  readonly guard: CopyGuard;
  /** Longer objects are copied in parts. */
  readonly maxCopyBytes: number;
}

/** One state of an object, and the headers that it is to have. */
export interface SelfCopyRequest {
  readonly key: string;
  readonly head: ObjectHead;
  readonly headers: Headers;
  /** ETag of what is to be replaced; default: that of `head`. */
  readonly replaces?: string;
}

/**
 * Copies objects onto themselves with other metadata: no byte passes through here. Every copy is bound to the state that was
 * looked at, as source and, where the backend evaluates that, as destination.
 */
export class SelfCopy {
  readonly #options: SelfCopyOptions;

  constructor(options: SelfCopyOptions) {
    this.#options = options;
  }

  /** @throws S3Error PreconditionFailed where the object is another one by now. */
  async copy(request: SelfCopyRequest, signal?: AbortSignal): Promise<WriteResult> {
    const { store, bucket, maxCopyBytes, guard } = this.#options;
    const { key, head, headers } = request;
    if (guard === 'complete' || head.sizeBytes > maxCopyBytes) return await this.#copyInParts(request, signal);
    return await store.copyObject(
      {
        bucket,
        key,
        source: { bucket, key },
        sourceConditions: { ifMatch: head.etag },
        conditions: { ifMatch: request.replaces ?? head.etag },
        metadata: 'REPLACE',
        tags: 'COPY',
        headers,
      },
      signal === undefined ? {} : { signal },
    );
  }

  /** The stored bytes stay the same, so format 1's index, which stands at their end, does as well. */
  async #copyInParts(request: SelfCopyRequest, signal?: AbortSignal): Promise<WriteResult> {
    const { store, bucket } = this.#options;
    const { key, head, headers } = request;
    const options = signal === undefined ? {} : { signal };
    const tags = await this.#tagHeaders(key, head, options);
    const { uploadId } = await store.createUpload({ bucket, key, headers: { ...headers, ...tags } }, options);
    const upload = { bucket, key, uploadId };
    try {
      const parts: CompletedPart[] = [];
      for (const range of partRanges(head.sizeBytes, this.#options.maxCopyBytes)) {
        const partNumber = parts.length + 1;
        const source = { bucket, key };
        const bound = { sourceConditions: { ifMatch: head.etag } };
        const { etag } = await store.copyPart({ ...upload, partNumber, source, range, ...bound }, options);
        parts.push({ partNumber, etag });
      }
      const conditions = { ifMatch: request.replaces ?? head.etag };
      return await store.completeUpload({ ...upload, parts, conditions }, options);
    } catch (error) {
      // Not by the signal: it may be what ended the copy.
      await store.abortUpload(upload).catch(() => {});
      throw error;
    }
  }

  /** An upload takes no tags over from anywhere: they are read, and set again. */
  async #tagHeaders(key: string, head: ObjectHead, options: { readonly signal?: AbortSignal }): Promise<Headers> {
    const count = Number(head.headers['x-amz-tagging-count'] ?? 0);
    if (count === 0) return {};
    const { store, bucket } = this.#options;
    const query = { tagging: '' };
    const request = { operation: 'GetObjectTagging', method: 'GET' as const, bucket, key, query, headers: {} };
    const { body } = await store.subResource({ ...request, document: new Uint8Array() }, options);
    const document = await readAll(body ?? streamOf(), maxTaggingBytes, () => s3Error('InternalError'));
    return { 'x-amz-tagging': renderTaggingHeader(parseTaggingDocument(document, 'Object')) };
  }
}

/** Finds out how copies are guarded. Tried on an object of our own below `folder`, as no backend tells. */
export async function findGuard(
  { store, bucket }: Pick<SelfCopyOptions, 'store' | 'bucket'>,
  folder: string,
  signal?: AbortSignal,
): Promise<CopyGuard> {
  const key = `${folder}probe-${randomUUID()}`;
  const options = signal === undefined ? {} : { signal };
  const body = Buffer.from('s3eg rewrap');
  await store.putObject({ bucket, key, headers: {}, body: streamOf(body), lengthBytes: body.length }, options);
  try {
    for (const guard of ['copy', 'complete'] as const) {
      const copies = new SelfCopy({ store, bucket, guard, maxCopyBytes: maxSingleCopyBytes });
      const head = await store.headObject({ bucket, key }, options);
      const probe = {
        key,
        head,
        headers: { 'x-amz-meta-probe': guard },
        replaces: '"00000000000000000000000000000000"',
      };
      if (await refuses(copies.copy(probe, signal))) return guard;
    }
    return 'none';
  } finally {
    await store.deleteObject({ bucket, key });
  }
}

async function refuses(copy: Promise<unknown>): Promise<boolean> {
  try {
    await copy;
    return false;
  } catch (error) {
    if (error instanceof S3Error && error.code === 'PreconditionFailed') return true;
    throw error;
  }
}

/** As few ranges as may be that cover `sizeBytes`, both ends included; all but the last are as long as may be (≥ 5 MiB). */
function partRanges(
  sizeBytes: number,
  maxPartBytes: number,
): readonly { readonly first: number; readonly last: number }[] {
  const count = Math.ceil(sizeBytes / maxPartBytes);
  if (count > maxParts) throw new RangeError(`an object of ${sizeBytes} bytes cannot be copied in ${maxParts} parts`);
  return Array.from({ length: count }, (_, index) => ({
    first: index * maxPartBytes,
    last: Math.min((index + 1) * maxPartBytes, sizeBytes) - 1,
  }));
}
