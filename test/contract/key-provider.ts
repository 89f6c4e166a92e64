import { describe, test } from 'node:test';

import { failureTests } from './key-provider/failures.ts';
import type { ContractTest, KeyProviderUnderTest } from './key-provider/harness.ts';
import { lifetimeTests } from './key-provider/lifetime.ts';
import { versionTests } from './key-provider/versions.ts';
import { wrappingTests } from './key-provider/wrapping.ts';

const groups: Readonly<Record<string, readonly ContractTest[]>> = {
  wrapping: wrappingTests,
  versions: versionTests,
  failures: failureTests,
  lifetime: lifetimeTests,
};

export interface ContractOptions {
  /** Names of tests that this adapter cannot pass, each with the reason. A name that does not exist is an error. */
  readonly skip?: Readonly<Record<string, string>>;
}

/**
 * Declares the tests that every `KeyProvider` must pass. `makeSubject` is called for each test, with a key of its own: the
 * tests rotate keys and take them away.
 */
export function keyProviderContract(
  name: string,
  makeSubject: () => Promise<KeyProviderUnderTest>,
  options: ContractOptions = {},
): void {
  const skip = new Map(Object.entries(options.skip ?? {}));
  checkSkips(skip);
  describe(`key provider contract: ${name}`, () => {
    for (const [group, tests] of Object.entries(groups)) {
      describe(group, () => {
        for (const { name: testName, run } of tests) {
          const reason = skip.get(testName);
          test(testName, reason === undefined ? {} : { skip: reason }, async () => {
            const subject = await makeSubject();
            try {
              await run(subject);
            } finally {
              await subject.close();
            }
          });
        }
      });
    }
  });
}

function checkSkips(skip: ReadonlyMap<string, string>): void {
  const names = new Set(Object.values(groups).flatMap((tests) => tests.map(({ name }) => name)));
  for (const [name, reason] of skip) {
    if (!names.has(name)) throw new Error(`no contract test is called "${name}"`);
    if (reason.trim() === '') throw new Error(`the skip of "${name}" needs a reason`);
  }
}
