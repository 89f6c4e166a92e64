import { isAllowed, seesBucket } from '../policy/grants.ts';
import type { AnsweredOperation } from '../s3/operation-table.ts';
import { s3Error } from '../s3/s3-error.ts';
import type { Backend, BucketRequest, Gateway, ServiceRequest } from './gateway.ts';

/** @throws S3Error AccessDenied unless the credential's grants cover the request; the gateway's own keys are nobody's. */
export function authorize(
  request: ServiceRequest,
  gateway: Gateway,
  target: { readonly row: AnsweredOperation; readonly bucket: string; readonly key: string | undefined },
): void {
  refuseReserved(gateway, target);
  if (!isGranted(request, target)) throw s3Error('AccessDenied');
}

/** As `authorize`, for an object that a request reads beside the one that it is about: the source of a copy. */
export function authorizeRead(
  { grants }: ServiceRequest,
  gateway: Gateway,
  target: { readonly bucket: string; readonly key: string },
): void {
  refuseReserved(gateway, target);
  if (!isAllowed(grants, { action: 'read', ...target })) throw s3Error('AccessDenied');
}

function refuseReserved(
  gateway: Gateway,
  { bucket, key }: { readonly bucket: string; readonly key: string | undefined },
): void {
  if (bucket === gateway.ledgerBucket) throw s3Error('AccessDenied');
  if (key?.startsWith(gateway.reservedPrefix) === true) {
    throw s3Error('AccessDenied', `Keys under "${gateway.reservedPrefix}" are kept for the gateway.`);
  }
}

function isGranted(
  { grants, query }: ServiceRequest,
  { row, bucket, key }: { readonly row: AnsweredOperation; readonly bucket: string; readonly key: string | undefined },
): boolean {
  const { action, operation } = row;
  if (key !== undefined) return isAllowed(grants, { action, bucket, key });
  switch (operation) {
    // Each key is authorised by the operation; and whether a bucket exists is known to whoever may use any of it.
    case 'DeleteObjects':
    case 'HeadBucket':
    case 'GetBucketLocation':
      return seesBucket(grants, bucket);
    case 'ListObjects':
    case 'ListObjectsV2':
    case 'ListObjectVersions':
    case 'ListMultipartUploads':
      return isAllowed(grants, { action, bucket, prefix: query.get('prefix') ?? '' });
    default:
      return isAllowed(grants, { action, bucket });
  }
}

/**
 * The policy of a request and the backend that it names, which holds the request to the owner that the client expects.
 * @throws S3Error AccessDenied where no policy covers it. */
export function decide(
  request: ServiceRequest,
  gateway: Gateway,
  { bucket, key }: { readonly bucket: string; readonly key: string | undefined },
): { readonly policy: BucketRequest['policy']; readonly backend: Backend } {
  const reach = key ?? request.query.get('prefix') ?? '';
  const policy = gateway.policies.decide({ bucket, key: reach, accessKeyId: request.accessKeyId });
  const backend = policy === undefined ? undefined : gateway.backends.get(policy.backend);
  if (policy === undefined || backend === undefined) {
    throw s3Error('AccessDenied', `No policy of this gateway covers the bucket "${bucket}".`);
  }
  const owner = request.headers['x-amz-expected-bucket-owner'];
  return {
    policy,
    backend: owner === undefined ? backend : { ...backend, store: backend.store.expectingOwner(owner) },
  };
}
