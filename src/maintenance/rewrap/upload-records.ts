import { decodeEnvelope } from '../../envelope/envelope.ts';
import { s3Error } from '../../s3/s3-error.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { readSmallObject } from '../../store/small-object.ts';
import type { KeyVersion } from './object-rewrapper.ts';

const maxRecordBytes = 16 * 1024;

/**
 * The key version of every upload in parts whose record is in a bucket: the object that it makes will be under that version,
 * as the backend has the envelope since the upload began.
 */
export async function* uploadKeyVersions(
  place: { readonly store: ObjectStore; readonly bucket: string; readonly reservedPrefix: string },
  signal?: AbortSignal,
): AsyncGenerator<KeyVersion, void, undefined> {
  const { store, bucket, reservedPrefix } = place;
  const options = signal === undefined ? {} : { signal };
  let continuationToken: string | undefined;
  do {
    const token = continuationToken === undefined ? {} : { continuationToken };
    const page = await store.listObjects(
      { bucket, prefix: `${reservedPrefix}uploads/`, version: 2, ...token },
      options,
    );
    for (const { key } of page.objects) {
      const version = key.endsWith('/record') ? await versionOf(store, { bucket, key }, options) : undefined;
      if (version !== undefined) yield version;
    }
    continuationToken = page.isTruncated ? page.nextContinuationToken : undefined;
  } while (continuationToken !== undefined);
}

/** Undefined for a record that has gone meanwhile. */
async function versionOf(
  store: ObjectStore,
  address: { readonly bucket: string; readonly key: string },
  options: { readonly signal?: AbortSignal },
): Promise<KeyVersion | undefined> {
  try {
    const bytes = await readSmallObject(store, { ...address, maxBytes: maxRecordBytes, tooLong: damaged }, options);
    if (bytes === undefined) return undefined;
    const record: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof record !== 'object' || record === null || !('envelope' in record)) throw damaged();
    const { kekName, kekVersion } = decodeEnvelope(String(record.envelope));
    return { keyName: kekName, keyVersion: kekVersion };
  } catch (error) {
    // The engine's message would quote the record.
    throw error instanceof SyntaxError ? damaged() : error;
  }
}

function damaged(): Error {
  return s3Error('InternalError', 'An upload record is damaged.');
}
