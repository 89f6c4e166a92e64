import { renderListUploads } from '../s3/response-documents.ts';
import { xmlResult, type BucketRequest, type Gateway, type OperationResult } from './gateway.ts';
import { ownerOf } from './list-buckets.ts';
import { boundedNumber, encodingType, optionalText } from './query.ts';

const maxUploadsLimit = 1000;

/** ListMultipartUploads: the backend's own list; upload ids are the backend's. */
export async function listMultipartUploads(request: BucketRequest, gateway: Gateway): Promise<OperationResult> {
  const { bucket, query } = request;
  const listing = {
    bucket,
    maxUploads: boundedNumber(query, 'max-uploads', { min: 0, max: maxUploadsLimit }) ?? maxUploadsLimit,
    ...optionalText(query, 'prefix', 'prefix'),
    ...optionalText(query, 'delimiter', 'delimiter'),
    ...optionalText(query, 'key-marker', 'keyMarker'),
    ...optionalText(query, 'upload-id-marker', 'uploadIdMarker'),
  };
  const page = await request.backend.store.listUploads(listing, { signal: request.signal });
  const isVisible = (key: string): boolean => !key.startsWith(gateway.reservedPrefix);
  const encoding = encodingType(query);
  return xmlResult(
    renderListUploads({
      ...listing,
      owner: ownerOf(request),
      ...(encoding === undefined ? {} : { encodingType: encoding }),
      page: {
        ...page,
        uploads: page.uploads.filter(({ key }) => isVisible(key)),
        commonPrefixes: page.commonPrefixes.filter(isVisible),
      },
    }),
  );
}
