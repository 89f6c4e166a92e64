import { readAll } from '../base/streams.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { CallOptions, ObjectAddress, ObjectStore } from './object-store.ts';

/**
 * The whole of an object that is small by its nature; undefined where there is none.
 * @throws S3Error, also for one of more than `maxBytes`.
 */
export async function readSmallObject(
  store: ObjectStore,
  { maxBytes, ...address }: ObjectAddress & { readonly maxBytes: number },
  options: CallOptions = {},
): Promise<Uint8Array | undefined> {
  try {
    const { body } = await store.getObject(address, options);
    return await readAll(body, maxBytes, () => s3Error('InternalError', 'An object of the gateway is too long.'));
  } catch (error) {
    if (error instanceof S3Error && error.status === 404) return undefined;
    throw error;
  }
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
