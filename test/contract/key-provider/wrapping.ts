import assert from 'node:assert/strict';

import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { systemRandom } from '../../../src/crypto/random.ts';
import type { EncryptionContext, KeyProvider, NewKey } from '../../../src/keys/key-provider.ts';
import { newKey } from '../../../src/keys/new-key.ts';
import { context, plainKey, rejectsWith, withProvider, type ContractTest } from './harness.ts';

/** Bytes of a ciphertext that are altered one at a time, at most; the first and the last are among them. */
const alteredPositions = 80;

function made(provider: KeyProvider): Promise<NewKey> {
  return newKey(provider, context, { random: systemRandom });
}

export const wrappingTests: readonly ContractTest[] = [
  {
    name: 'gives new keys of 32 bytes, each another one, wrapped by the current version and bound to their context',
    async run({ provider }) {
      const [first, second] = [await made(provider), await made(provider)];
      using firstKey = first.key;
      using secondKey = second.key;
      assert.equal(firstKey.bytes.length, 32);
      assert.ok(!firstKey.equals(secondKey));
      assert.equal(first.wrapped.version, (await provider.describe()).versions[0]);
      assert.ok(!Buffer.from(first.wrapped.ciphertext).includes(firstKey.bytes));
      using opened = await provider.unwrap(first.wrapped, context);
      assert.ok(opened.equals(firstKey));
      await rejectsWith(provider.unwrap(first.wrapped, { ...context, bucket: 'another' }), 'wrong_key');
    },
  },
  {
    name: 'gives back what it wrapped',
    async run({ provider }) {
      for (const bytes of [plainKey().bytes, new Uint8Array(32).fill(0xff), new Uint8Array(32)]) {
        using key = SecretBytes.copyOf(bytes);
        const wrapped = await provider.wrap(key, context);
        using opened = await provider.unwrap(wrapped, context);
        assert.deepEqual(Buffer.from(opened.bytes), Buffer.from(bytes));
      }
    },
  },
  {
    name: 'gives a wrapped key that an envelope can hold, and that does not show the key',
    async run({ provider }) {
      using key = plainKey();
      const { version, ciphertext } = await provider.wrap(key, context);
      assert.match(version, /^[\x21-\x7e]{1,128}$/);
      assert.ok(ciphertext.length > 32 && ciphertext.length <= 1024, `${ciphertext.length} bytes`);
      const text = Buffer.from(ciphertext).toString('latin1');
      for (const encoding of ['latin1', 'hex', 'base64'] as const) {
        assert.ok(!text.includes(Buffer.from(key.bytes).toString(encoding)), `the key stands in it as ${encoding}`);
      }
    },
  },
  {
    name: 'wraps the same key differently each time',
    async run({ provider }) {
      using key = plainKey();
      const seen = new Set<string>();
      for (let count = 0; count < 8; count++) {
        const { ciphertext } = await provider.wrap(key, context);
        seen.add(Buffer.from(ciphertext).toString('hex'));
      }
      assert.equal(seen.size, 8);
    },
  },
  {
    name: 'leaves the key to its owner, and gives each caller a key of his own',
    async run({ provider }) {
      using key = plainKey();
      const wrapped = await provider.wrap(key, context);
      const ciphertext = Buffer.from(wrapped.ciphertext);
      assert.ok(key.equals(plainKey()), 'wrap changed the key');
      const first = await provider.unwrap(wrapped, context);
      using second = await provider.unwrap(wrapped, context);
      first.dispose();
      assert.ok(second.equals(key));
      assert.deepEqual(Buffer.from(wrapped.ciphertext), ciphertext, 'unwrap changed the wrapped key');
    },
  },
  {
    name: 'opens nothing in another context',
    async run({ provider }) {
      using key = plainKey();
      const wrapped = await provider.wrap(key, context);
      for (const other of otherContexts(context)) await rejectsWith(provider.unwrap(wrapped, other), 'wrong_key');
      using opened = await provider.unwrap(wrapped, { ...context });
      assert.ok(opened.equals(key));
    },
  },
  {
    name: 'takes every name that a policy and a bucket can have',
    async run({ provider }) {
      using key = plainKey();
      for (const policy of ['a', 'p'.repeat(100), 'Größe-名前-😀', 'a b=c&d"e\\', "it's"]) {
        const unusual = { policy, bucket: `b${'-'.repeat(61)}b` };
        const wrapped = await provider.wrap(key, unusual);
        using opened = await provider.unwrap(wrapped, unusual);
        assert.ok(opened.equals(key));
        await rejectsWith(provider.unwrap(wrapped, { ...unusual, policy: `${policy} ` }), 'wrong_key');
      }
    },
  },
  {
    name: 'opens nothing that was altered, cut short or lengthened',
    async run({ provider }) {
      using key = plainKey();
      const wrapped = await provider.wrap(key, context);
      for (const ciphertext of alterations(wrapped.ciphertext)) {
        await rejectsWith(provider.unwrap({ ...wrapped, ciphertext }, context), 'wrong_key');
      }
    },
  },
  {
    name: 'opens nothing that another key wrapped',
    async run({ provider, openOtherKey }) {
      using key = plainKey();
      const theirs = await withProvider(openOtherKey, (other) => other.wrap(key, context));
      // Where versions are numbered the version is known; where they are unique it is not.
      await rejectsWith(provider.unwrap(theirs, context), 'wrong_key', 'not_found');
      const { version } = await provider.wrap(key, context);
      await rejectsWith(provider.unwrap({ ...theirs, version }, context), 'wrong_key');
    },
  },
  {
    name: 'wraps keys of 32 bytes only',
    async run({ provider }) {
      for (const length of [0, 16, 31, 33, 64]) {
        using key = new SecretBytes(new Uint8Array(length).fill(7));
        await assert.rejects(provider.wrap(key, context), `${length} bytes`);
      }
    },
  },
  {
    name: 'serves many callers at once',
    async run({ provider }) {
      const numbers = Array.from({ length: 32 }, (_, index) => index);
      await Promise.all(
        numbers.map(async (number) => {
          using key = plainKey(number * 5);
          const own = { ...context, bucket: `bucket-${number}` };
          using opened = await provider.unwrap(await provider.wrap(key, own), own);
          assert.ok(opened.equals(key));
        }),
      );
    },
  },
];

/** Contexts that differ in one field, swap them, or give the same text when the fields are joined. */
function otherContexts({ policy, bucket }: EncryptionContext): readonly EncryptionContext[] {
  return [
    { policy, bucket: `${bucket}x` },
    { policy, bucket: bucket.slice(0, -1) },
    { policy: 'tenant-b', bucket },
    { policy: policy.toUpperCase(), bucket },
    { policy: bucket, bucket: policy },
    { policy: `${policy}${bucket.slice(0, 1)}`, bucket: bucket.slice(1) },
    { policy: policy.slice(0, -1), bucket: `${policy.slice(-1)}${bucket}` },
  ];
}

function* alterations(ciphertext: Uint8Array): Generator<Uint8Array> {
  const step = Math.max(1, Math.ceil(ciphertext.length / alteredPositions));
  for (let position = 0; position < ciphertext.length; position += step) yield flipped(ciphertext, position);
  yield flipped(ciphertext, ciphertext.length - 1);
  yield ciphertext.subarray(0, -1);
  yield ciphertext.subarray(1);
  yield Buffer.concat([ciphertext, Buffer.of(0)]);
  yield new Uint8Array(ciphertext.length);
  yield new Uint8Array(0);
}

function flipped(bytes: Uint8Array, position: number): Uint8Array {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(position) ^ 1, position);
  return changed;
}
