import { after, before, describe, test } from 'node:test';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { bodyTests } from './object-store/bodies.ts';
import { bucketTests } from './object-store/buckets.ts';
import { conditionTests } from './object-store/conditions.ts';
import { copyTests } from './object-store/copies.ts';
import { removeBucket, uniqueBucketName, type ContractTest, type StoreUnderTest } from './object-store/harness.ts';
import { keyTests } from './object-store/keys.ts';
import { listingTests } from './object-store/listing.ts';
import { multipartTests } from './object-store/multipart.ts';
import { objectTests } from './object-store/objects.ts';
import { subResourceTests, versionTests } from './object-store/sub-resources.ts';
import { uploadListingTests } from './object-store/upload-listing.ts';

export type { StoreUnderTest } from './object-store/harness.ts';

const groups: Readonly<Record<string, readonly ContractTest[]>> = {
  buckets: bucketTests,
  objects: objectTests,
  keys: keyTests,
  bodies: bodyTests,
  conditions: conditionTests,
  copies: copyTests,
  listing: listingTests,
  multipart: multipartTests,
  'upload listing': uploadListingTests,
  'sub-resources': subResourceTests,
  versions: versionTests,
};

export interface ContractOptions {
  /** Names of tests that this backend cannot pass, each with the reason. A name that does not exist is an error. */
  readonly skip?: Readonly<Record<string, string>>;
}

/**
 * Declares the tests that every `ObjectStore` must pass. `makeStore` is called once; each test works in a bucket of its
 * own, which is removed afterwards. All bytes, keys and buckets are made by the tests: a shared server is not disturbed.
 */
export function objectStoreContract(
  name: string,
  makeStore: () => Promise<StoreUnderTest>,
  options: ContractOptions = {},
): void {
  const skip = new Map(Object.entries(options.skip ?? {}));
  checkSkips(skip);
  void describe(`object store contract: ${name}`, () => {
    let subject: StoreUnderTest | undefined;
    before(async () => {
      subject = await makeStore();
    });
    after(async () => {
      await subject?.close();
    });
    for (const [group, tests] of Object.entries(groups)) {
      void describe(group, () => {
        for (const contractTest of tests) {
          const reason = skip.get(contractTest.name);
          void test(contractTest.name, reason === undefined ? {} : { skip: reason }, async () => {
            if (subject === undefined) throw new Error('the store was not made');
            await runInFreshBucket(subject, contractTest);
          });
        }
      });
    }
  });
}

async function runInFreshBucket(subject: StoreUnderTest, contractTest: ContractTest): Promise<void> {
  const { store, bucketName: newBucketName = uniqueBucketName } = subject;
  const bucket = newBucketName();
  await store.createBucket(bucket, {});
  try {
    await contractTest.run({ store, bucket, newBucketName });
  } finally {
    await removeIfThere(store, bucket);
  }
}

async function removeIfThere(store: ObjectStore, bucket: string): Promise<void> {
  const buckets = await store.listBuckets();
  if (buckets.some((entry) => entry.name === bucket)) await removeBucket(store, bucket);
}

function checkSkips(skip: ReadonlyMap<string, string>): void {
  const names = new Set(Object.values(groups).flatMap((tests) => tests.map((contractTest) => contractTest.name)));
  for (const [name, reason] of skip) {
    if (!names.has(name)) throw new Error(`no contract test is called "${name}"`);
    if (reason.trim() === '') throw new Error(`the skip of "${name}" needs a reason`);
  }
}
