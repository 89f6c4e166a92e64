import type { Settings } from '../../config/settings.ts';
import { canaryVersion } from '../../keys/canary.ts';
import { readSmallObject } from '../../store/small-object.ts';
import type { OpenedStores } from '../../wire/stores.ts';

const maxCanaryBytes = 4096;

/** A bucket of a backend. */
export interface BucketPlace {
  readonly backend: string;
  readonly bucket: string;
}

/** A version of a key, and where canaries of the key may be. */
export interface CanarySearch {
  readonly opened: OpenedStores;
  readonly settings: Settings;
  readonly key: string;
  readonly keyVersion: string;
  readonly places: readonly BucketPlace[];
}

/**
 * The buckets whose canary is under this version: once it is destroyed, no gateway would start with them.
 * @throws KeyError for a canary that is damaged; S3Error.
 */
export async function canariesUnder(search: CanarySearch): Promise<readonly BucketPlace[]> {
  const { opened, settings, key, keyVersion, places } = search;
  const { prefix, bucket: shared } = settings.multipart;
  const found: BucketPlace[] = [];
  for (const { backend, bucket } of shared === undefined ? places : sharedPlaces(places, shared)) {
    const address = { bucket, key: `${prefix}canary/${key}`, maxBytes: maxCanaryBytes };
    const store = opened.stores.get(backend);
    const bytes = store && (await readSmallObject(store, address));
    if (bytes !== undefined && canaryVersion(bytes, key) === keyVersion) found.push({ backend, bucket });
  }
  return found;
}

/** One bucket has the canaries of all others. */
function sharedPlaces(places: readonly BucketPlace[], bucket: string): readonly BucketPlace[] {
  return Array.from(new Set(places.map(({ backend }) => backend)), (backend) => ({ backend, bucket }));
}

/**
 * Brings canaries under the current version, while the old one still proves that it is the right key.
 * @throws KeyError `misconfigured` where it does not open any more.
 */
export async function moveCanaries(
  { opened, key }: Pick<CanarySearch, 'opened' | 'key'>,
  canaries: readonly BucketPlace[],
): Promise<void> {
  for (const place of canaries) await opened.checkCanary({ ...place, keyName: key });
}
