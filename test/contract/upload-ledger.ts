import { after, before, describe, test } from 'node:test';

import { freshUpload, type ContractTest, type LedgerUnderTest } from './upload-ledger/harness.ts';
import { recordTests } from './upload-ledger/records.ts';
import { removalTests } from './upload-ledger/removal.ts';
import { stagingTests } from './upload-ledger/staging.ts';

const groups: Readonly<Record<string, readonly ContractTest[]>> = {
  records: recordTests,
  'staged parts': stagingTests,
  removal: removalTests,
};

/**
 * Declares the tests that every `UploadLedger` must pass. `makeSubject` is called once; each test works on uploads of its
 * own, so a shared server is not disturbed.
 */
export function uploadLedgerContract(name: string, makeSubject: () => Promise<LedgerUnderTest>): void {
  describe(`upload ledger contract: ${name}`, () => {
    let subject: LedgerUnderTest | undefined;
    before(async () => {
      subject = await makeSubject();
    });
    after(async () => {
      await subject?.close();
    });
    for (const [group, tests] of Object.entries(groups)) {
      describe(group, () => {
        for (const { name: testName, run } of tests) {
          test(testName, async () => {
            if (subject === undefined) throw new Error('the ledger was not made');
            await run({ ...subject, upload: freshUpload(subject.bucket) });
          });
        }
      });
    }
  });
}
