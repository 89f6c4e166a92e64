import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  resolveSuites,
  type ConfiguredPolicy,
  type EncryptionSettings,
  type SuiteSetting,
} from '../../../src/policy/policy.ts';

function policyWith(encryption: Pick<EncryptionSettings<SuiteSetting>, 'mode' | 'suite'>): ConfiguredPolicy {
  return {
    name: 'archive',
    match: { buckets: [], prefixes: [], accessKeys: [] },
    backend: 'main',
    encryption: { key: 'local', segmentSizeBytes: 65_536, unencryptedReads: 'deny', etag: 'opaque', ...encryption },
    limits: { maxObjectBytes: 1 },
  };
}

const onlyAes = { suite: 'aes-256-gcm', isAvailable: (suite: string) => suite === 'aes-256-gcm' } as const;

describe('the suites of policies', () => {
  it('are the one in use where a policy leaves it open, and its own otherwise', () => {
    const suites = (['auto', 'aes-256-gcm'] as const).map((suite) => policyWith({ mode: 'required', suite }));
    const inUse = { suite: 'chacha20-poly1305', isAvailable: () => true } as const;
    assert.deepEqual(
      resolveSuites(suites, inUse).map(({ encryption }) => encryption.suite),
      ['chacha20-poly1305', 'aes-256-gcm'],
    );
  });

  it('are refused where the runtime lacks what a policy would encrypt with', () => {
    const wanting = policyWith({ mode: 'required', suite: 'chacha20-poly1305' });
    assert.throws(() => resolveSuites([wanting], onlyAes), {
      message: 'the policy "archive" encrypts with chacha20-poly1305, which this runtime does not have',
    });
    const open = policyWith({ mode: 'required', suite: 'auto' });
    assert.throws(() => resolveSuites([open], { ...onlyAes, suite: 'chacha20-poly1305' }), /"archive"/);
    assert.equal(resolveSuites([policyWith({ mode: 'off', suite: 'chacha20-poly1305' })], onlyAes).length, 1);
  });
});
