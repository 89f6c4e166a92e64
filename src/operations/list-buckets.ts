import { seesBucket } from '../policy/grants.ts';
import { renderListBuckets } from '../s3/response-documents.ts';
import type { BucketEntry } from '../store/object-store.ts';
import { xmlResult, type Backend, type Gateway, type OperationResult, type ServiceRequest } from './gateway.ts';
import { boundedNumber } from './query.ts';

/** S3's largest page of buckets. */
const maxBuckets = 10_000;

/** ListBuckets: the buckets of all backends that the client's grants name and a policy sends to that backend. */
export async function listBuckets(request: ServiceRequest, gateway: Gateway): Promise<OperationResult> {
  const lists = await Promise.all(
    [...gateway.backends.values()].map((backend) => visibleBuckets(request, gateway, backend)),
  );
  const prefix = request.query.get('prefix') ?? '';
  const after = request.query.get('continuation-token') ?? '';
  const limit =
    boundedNumber(request.query, 'max-buckets', { min: 1, max: maxBuckets, largest: maxBuckets }) ?? maxBuckets;
  const all = lists
    .flat()
    .filter(({ name }) => name.startsWith(prefix) && name > after)
    .toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const buckets = all.slice(0, limit);
  const last = buckets.at(-1);
  return xmlResult(
    renderListBuckets({
      owner: ownerOf(request),
      buckets,
      ...(prefix === '' ? {} : { prefix }),
      ...(all.length > limit && last !== undefined ? { continuationToken: last.name } : {}),
    }),
  );
}

/** Who is shown as owner: the credential, since backends' accounts are not the client's affair. */
export function ownerOf({ accessKeyId }: ServiceRequest): { readonly id: string; readonly displayName: string } {
  return { id: accessKeyId, displayName: accessKeyId };
}

async function visibleBuckets(
  request: ServiceRequest,
  gateway: Gateway,
  backend: Backend,
): Promise<readonly BucketEntry[]> {
  const buckets = await backend.store.listBuckets({ signal: request.signal });
  return buckets.filter(({ name }) => {
    if (name === gateway.ledgerBucket || !seesBucket(request.grants, name)) return false;
    const policy = gateway.policies.decide({ bucket: name, key: '', accessKeyId: request.accessKeyId });
    return policy?.backend === backend.name;
  });
}
