import type { CanaryMismatch } from '../audit/key-audit.ts';
import type { Settings } from '../config/settings.ts';
import { CanaryGuard, type GuardedKey } from '../operations/canary-guard.ts';

/** What holds keys to their canaries; `onMismatch` is told of a key that is not the one of a bucket's data. */
export function guardCanaries(
  { multipart: { prefix, bucket } }: Settings,
  keys: ReadonlyMap<string, GuardedKey>,
  onMismatch?: (mismatch: CanaryMismatch) => Promise<void>,
): CanaryGuard {
  return new CanaryGuard({
    keys,
    prefix,
    ...(bucket === undefined ? {} : { bucket }),
    ...(onMismatch === undefined
      ? {}
      : {
          onMismatch: (target, error) => {
            const { keyName, bucket: name } = target;
            return onMismatch({ keyName, bucket: name, backend: target.backend.name, error });
          },
        }),
  });
}
