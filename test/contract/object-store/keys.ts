import assert from 'node:assert/strict';
import { get, put, rejectsWith, type ContractContext, type ContractTest } from './harness.ts';

/** Puts all keys with content of their own, then reads, lists and deletes them one by one. */
async function roundTrip(context: ContractContext, keys: readonly string[]): Promise<void> {
  const { store, bucket } = context;
  for (const key of keys) await put(context, key, `content of ${key}`);
  for (const key of keys) assert.equal((await get(context, key)).toString(), `content of ${key}`, JSON.stringify(key));
  const { objects } = await store.listObjects({ bucket, version: 2 });
  const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(
    objects.map(({ key }) => key),
    sorted,
  );
  for (const key of keys) {
    const { objects: exact } = await store.listObjects({ bucket, version: 2, prefix: key });
    assert.ok(
      exact.some((object) => object.key === key),
      `prefix ${JSON.stringify(key)}`,
    );
  }
  const [first = '', ...others] = keys;
  await store.deleteObject({ bucket, key: first });
  await rejectsWith(store.headObject({ bucket, key: first }), 'NoSuchKey', 404);
  for (const key of others) assert.ok((await store.headObject({ bucket, key })).sizeBytes > 0);
  const outcomes = await store.deleteObjects({ bucket, objects: others.map((key) => ({ key })) });
  assert.deepEqual(
    outcomes.filter((outcome) => outcome.errorCode !== undefined),
    [],
  );
  assert.deepEqual((await store.listObjects({ bucket, version: 2 })).objects, []);
}

const keySets: Readonly<Record<string, readonly string[]>> = {
  'keeps keys with spaces, signs and percent codes': [
    'a b',
    'a+b',
    'a%20b',
    'a%2Fb',
    'a%',
    '?x=y&z',
    '#frag',
    'quote\'"',
    '<&>',
    '~!@$^*(),;:=[]{}|`',
    'back\\slash',
  ],
  'keeps keys of other scripts and emoji as they are': [
    'größe',
    'gro\u0308\u00DFe',
    '日本語/キー',
    'emoji-😀/👩‍👩‍👧',
    '\u{10FFFD}',
    '\uFFFD',
    '\uFF5E',
  ],
  'keeps keys with control characters': ['a\u0001b', 'tab\tkey', 'line\nfeed', 'cr\rkey', 'del\u007f', 'c1\u0085x'],
  'keeps keys with dot segments': ['../x', '..', '.', './x', 'a/../b', 'a/./b', '...', 'a/..', '.s3/x'],
  'keeps keys with empty segments': ['a//b', '/a', '//', 'a/', 'a//', '/'],
  'keeps an object and others below its name': ['a', 'a/', 'a/b', 'a/b/c', 'a.b', 'a-b', 'a0'],
  'keeps keys of 1024 bytes in short segments': [
    `${'a'.repeat(200)}/${'b'.repeat(200)}/${'c'.repeat(200)}/${'d'.repeat(200)}/${'e'.repeat(220)}`,
    `${'a'.repeat(200)}/${'b'.repeat(200)}/${'c'.repeat(200)}/${'d'.repeat(200)}/${'e'.repeat(219)}f`,
  ],
  'keeps keys of 1024 bytes in one segment': ['x'.repeat(1024), `${'x'.repeat(1023)}y`, '😀'.repeat(256)],
  'tells keys apart that differ in case or normal form only': ['KEY', 'key', 'Key', 'caf\u00e9', 'cafe\u0301'],
};

/** Keys are bytes: nothing is normalised, no key reaches another object. */
export const keyTests: readonly ContractTest[] = [
  ...Object.entries(keySets).map(([name, keys]) => ({
    name,
    run: async (context: ContractContext) => await roundTrip(context, keys),
  })),
  {
    name: 'refuses keys of more than 1024 bytes',
    run: async (context) => {
      for (const key of ['x'.repeat(1025), '😀'.repeat(257)]) {
        await rejectsWith(put(context, key, 'x'), 'KeyTooLongError', 400);
      }
    },
  },
];
