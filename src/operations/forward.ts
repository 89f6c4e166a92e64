import type { ForwardedOperation } from '../s3/forwarded-operations.ts';
import { requestForwardedHeaders, responseForwardedHeaders } from '../s3/object-headers.ts';
import { checkForwardedDocument, maxForwardedBytes } from '../s3/forwarded-documents.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { BucketRequest, Gateway, OperationResult } from './gateway.ts';

/**
 * Passes a request about a sub-resource to the backend: the document is verified against what the client signed, the
 * request is signed anew, and the answer is streamed back without what names the backend.
 */
export async function forward(
  request: BucketRequest & { readonly key?: string },
  gateway: Gateway,
  row: ForwardedOperation,
): Promise<OperationResult> {
  const { operation, method } = row;
  if (method === 'HEAD' || method === 'OPTIONS') throw s3Error('MethodNotAllowed');
  const document = await request.document(maxForwardedBytes);
  checkForwardedDocument(operation, document);
  const { bucket, key, backend, signal } = request;
  const answer = await backend.store.subResource(
    {
      operation,
      method,
      bucket,
      ...(key === undefined ? {} : { key }),
      query: forwardedQuery(request.query, row),
      headers: requestForwardedHeaders(request.headers),
      document,
    },
    { signal },
  );
  if (operation === 'PutBucketCors' || operation === 'DeleteBucketCors') gateway.cors.forget(backend, bucket);
  const length = answer.lengthBytes === undefined ? {} : { 'content-length': String(answer.lengthBytes) };
  return {
    status: answer.status,
    headers: { ...responseForwardedHeaders(answer.headers), ...length },
    ...(answer.body === undefined ? {} : { body: answer.body }),
  };
}

/** Only the operation's own parameters: those of a presigned URL are the gateway's affair. */
function forwardedQuery(query: ReadonlyMap<string, string>, row: ForwardedOperation): Record<string, string> {
  const names = [...Object.keys(row.query), ...row.optionalQuery];
  return Object.fromEntries(names.flatMap((name) => (query.has(name) ? [[name, query.get(name) ?? '']] : [])));
}
