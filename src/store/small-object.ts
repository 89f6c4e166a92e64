import { readAll } from '../base/streams.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { CallOptions, ObjectAddress, ObjectStore } from './object-store.ts';

/** A small object, and what is thrown where it is not. */
export interface SmallObject extends ObjectAddress {
  readonly maxBytes: number;
  readonly tooLong?: () => Error;
}

/**
 * The whole of an object that is small by its nature; undefined where there is none.
 * @throws S3Error; for one of more than `maxBytes` what `tooLong` gives.
 */
export async function readSmallObject(
  store: ObjectStore,
  { maxBytes, tooLong = tooLongForUs, ...address }: SmallObject,
  options: CallOptions = {},
): Promise<Uint8Array | undefined> {
  try {
    const { body } = await store.getObject(address, options);
    return await readAll(body, maxBytes, tooLong);
  } catch (error) {
    if (error instanceof S3Error && error.status === 404) return undefined;
    throw error;
  }
}

function tooLongForUs(): Error {
  return s3Error('InternalError', 'An object of the gateway is too long.');
}

/**
 * Deletes one version. Where versions are no feature of the backend, it may list `null` for one and yet refuse to be asked
 * for it.
 */
export async function deleteVersion(
  store: ObjectStore,
  { bucket, key, versionId }: Required<ObjectAddress>,
  options: CallOptions = {},
): Promise<void> {
  try {
    await store.deleteObject({ bucket, key, versionId }, options);
  } catch (error) {
    if (versionId !== 'null' || !(error instanceof S3Error) || error.code !== 'InvalidArgument') throw error;
    await store.deleteObject({ bucket, key }, options);
  }
}
