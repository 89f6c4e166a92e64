import { messageOf } from '../base/message-of.ts';
import type { ConfiguredPolicy } from '../policy/policy.ts';
import { S3Error } from '../s3/s3-error.ts';
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
  for (const policy of check.configured) {
    const backend = check.backends.get(policy.backend);
    if (policy.encryption.mode === 'off' || backend === undefined) continue;
    for (const bucket of await canaryBuckets(check, policy.name, backend)) {
      try {
        await check.canaries.check({ backend, bucket, keyName: policy.encryption.key });
      } catch (error) {
        // Deleted since it was listed: nothing is left there that another key could have encrypted.
        if (!isGone(error) || check.onlyBucket !== undefined) throw error;
      }
    }
  }
}

function isGone(error: unknown): boolean {
  return error instanceof S3Error && error.code === 'NoSuchBucket';
}

async function canaryBuckets(
  { policies, onlyBucket, telemetry: { logger } }: CanaryCheck,
  policyName: string,
  backend: Backend,
): Promise<readonly string[]> {
  if (onlyBucket !== undefined) return [onlyBucket];
  try {
    const buckets = await backend.store.listBuckets();
    return buckets
      .map(({ name }) => name)
      .filter((bucket) => policies.decide({ bucket, key: '', accessKeyId: '' })?.name === policyName)
      .slice(0, maxCanaryBuckets);
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
