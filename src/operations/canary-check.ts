import { messageOf } from '../base/message-of.ts';
import type { ConfiguredPolicy } from '../policy/policy.ts';
import { S3Error } from '../s3/s3-error.ts';
import type { CanaryTarget } from './canary-guard.ts';
import type { Backend, Gateway } from './gateway.ts';

/** Buckets in which a key's canary is looked for at start; the others are checked before the first write to them. */
const maxCanaryBuckets = 20;

/** What is checked, and against what. */
export interface CanaryCheck extends Pick<Gateway, 'backends' | 'canaries' | 'policies' | 'telemetry'> {
  /** The policies as they are configured. */
  readonly configured: readonly ConfiguredPolicy[];
  /** The bucket of all canaries; else each bucket has its own. */
  readonly onlyBucket: string | undefined;
}

/**
 * Refuses to start with a key that is not the one that the buckets' data was encrypted with.
 * @throws as `CanaryGuard.check`.
 */
export async function checkCanaries(check: CanaryCheck): Promise<void> {
  const { policies, onlyBucket } = check;
  const listed = new Map<Backend, readonly string[]>();
  for (const { name, backend: backendName, encryption } of check.configured) {
    const backend = check.backends.get(backendName);
    if (encryption.mode === 'off' || backend === undefined) continue;
    if (onlyBucket !== undefined) {
      await check.canaries.check({ backend, bucket: onlyBucket, keyName: encryption.key });
      continue;
    }
    // Several policies may keep their buckets in one backend.
    const buckets = listed.get(backend) ?? (await bucketsOf(backend, check));
    listed.set(backend, buckets);
    const ofPolicy = buckets.filter((bucket) => policies.decide({ bucket, key: '', accessKeyId: '' })?.name === name);
    for (const bucket of ofPolicy.slice(0, maxCanaryBuckets)) {
      await checkListed(check, { backend, bucket, keyName: encryption.key });
    }
  }
}

async function checkListed({ canaries }: CanaryCheck, target: CanaryTarget): Promise<void> {
  try {
    await canaries.check(target);
  } catch (error) {
    // Deleted since it was listed: nothing is left there that another key could have encrypted.
    if (!(error instanceof S3Error && error.code === 'NoSuchBucket')) throw error;
  }
}

async function bucketsOf(backend: Backend, { telemetry: { logger } }: CanaryCheck): Promise<readonly string[]> {
  try {
    return (await backend.store.listBuckets()).map(({ name }) => name);
  } catch (error) {
    // Each bucket is checked before the first write to it.
    const reason = messageOf(error);
    logger.warn('key canaries are not checked at start: the backend did not list its buckets', {
      backend: backend.name,
      reason,
    });
    return [];
  }
}
