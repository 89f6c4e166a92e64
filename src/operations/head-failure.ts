import { S3Error } from '../s3/s3-error.ts';
import { addressOf } from './get-object.ts';
import type { ObjectRequest } from './gateway.ts';

/**
 * The failure of a HEAD, which backends answer without a document, in the words that they have for a GET of the same
 * object: whether it is the bucket, the key or the version that is missing, and what is wrong with a version id.
 */
export async function explainedByGet(error: S3Error, request: ObjectRequest): Promise<unknown> {
  if (error.status >= 500) return error;
  const { backend, signal } = request;
  try {
    await (
      await backend.store.getObject({ ...addressOf(request), range: { first: 0, last: 0 } }, { signal })
    ).discard();
    return error;
  } catch (said) {
    return said instanceof S3Error && said.code !== 'InvalidRange' ? said : error;
  }
}
