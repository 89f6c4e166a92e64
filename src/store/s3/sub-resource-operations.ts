import type { CallOptions, SubResourceAnswer, SubResourceRequest } from '../object-store.ts';
import type { S3Client } from './client.ts';

/** Passes a request about a sub-resource on; its answer is streamed. POST is the one method that may not be repeated. */
export async function subResource(
  client: S3Client,
  request: SubResourceRequest,
  { signal }: CallOptions,
): Promise<SubResourceAnswer> {
  const { operation, method, bucket, key, query, headers, document } = request;
  return await client.call(
    {
      operation,
      method,
      bucket,
      ...(key === undefined ? {} : { key }),
      query,
      headers,
      ...(document.length === 0 ? {} : { body: document, contentMd5: true }),
      idempotent: method !== 'POST',
      missing: missing(request),
      signal,
    },
    async (response) => {
      const lengthBytes = Number(response.headers['content-length'] ?? Number.NaN);
      const isEmpty = response.status === 204 || lengthBytes === 0;
      if (isEmpty) await response.body.discard();
      return {
        status: response.status,
        headers: response.headers,
        ...(isEmpty ? {} : { body: response.body }),
        ...(isEmpty || !Number.isSafeInteger(lengthBytes) ? {} : { lengthBytes }),
      };
    },
  );
}

function missing({ key, query }: SubResourceRequest): 'NoSuchBucket' | 'NoSuchKey' | 'NoSuchVersion' {
  if (key === undefined) return 'NoSuchBucket';
  return query['versionId'] === undefined ? 'NoSuchKey' : 'NoSuchVersion';
}
