import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretBytes } from '../../../src/crypto/secret-bytes.ts';
import { DataKeys, type WrappedDataKey } from '../../../src/keys/data-keys.ts';
import { DualReadWindow } from '../../../src/keys/dual-read-window.ts';
import { noKeyEvents } from '../../../src/keys/key-events.ts';
import { context, keyError, TestClock, TestKeyService } from './support.ts';

const settings = { ttlMs: 60_000, offlineTtlMs: 3_600_000, maxObjects: 1000, maxBytes: 2 ** 40 };
const aad = Buffer.from('object');

function setUp({ readPrevious }: { readonly readPrevious: number }) {
  const clock = new TestClock();
  const service = new TestKeyService('main');
  const reads: string[] = [];
  const metrics = {
    ...noKeyEvents,
    read: ({ keyName, age }: { keyName: string; age: string }) => void reads.push(`${keyName} ${age}`),
  };
  const provider = new DualReadWindow(service, { readPrevious, clock });
  const keys = new DataKeys(new Map([['main', provider]]), settings, { clock, metrics });
  const wrap = async (bucket = 'logs'): Promise<WrappedDataKey> => {
    using dek = new SecretBytes(new Uint8Array(32).fill(3));
    return await keys.wrap(dek, { keyName: 'main', context: { ...context, bucket }, aad, bytes: 1 });
  };
  const read = async (wrapped: WrappedDataKey): Promise<void> =>
    (await keys.unwrap(wrapped, { context, aad })).dispose();
  /** A version more, after the time that descriptions stand for. */
  const rotate = async (): Promise<void> => {
    await service.rotate();
    clock.pass(10_000);
  };
  return { clock, service, keys, reads, wrap, read, rotate };
}

test('reads are told apart by the age of their version: current, previous, and outside of the window', async () => {
  const { keys, reads, wrap, read, rotate, clock } = setUp({ readPrevious: 1 });
  const first = await wrap();
  await read(first);
  await rotate();
  const second = await wrap();
  await read(first);
  await read(second);
  await rotate();
  await wrap();
  await read(second);
  // Past its ttl the key is asked for anew, and then the window counts.
  clock.pass(settings.ttlMs);
  await assert.rejects(read(first), keyError('outside_window'));
  assert.deepEqual(reads, ['main current', 'main previous', 'main current', 'main previous', 'main outside']);
  keys.close();
});

test('a process that only reads knows the age too, and one that has no answer does not guess', async () => {
  const writer = setUp({ readPrevious: 3 });
  const wrapped = await writer.wrap();
  const reads: string[] = [];
  const metrics = { ...noKeyEvents, read: ({ age }: { readonly age: string }) => void reads.push(age) };
  const reader = new DataKeys(new Map([['main', writer.service]]), settings, { clock: writer.clock, metrics });
  (await reader.unwrap(wrapped, { context, aad })).dispose();
  writer.service.fail('unavailable');
  const cut = new DataKeys(new Map([['main', writer.service]]), settings, { clock: writer.clock, metrics });
  await assert.rejects(cut.unwrap(wrapped, { context, aad }), keyError('unavailable'));
  delete writer.service.failures.unwrap;
  (await cut.unwrap(wrapped, { context, aad })).dispose();
  assert.deepEqual(reads, ['current', 'unknown']);
  for (const keys of [reader, cut, writer.keys]) keys.close();
});

test('the age of bucket keys is that of the oldest one that new objects come under', async () => {
  const { keys, wrap, clock } = setUp({ readPrevious: 0 });
  assert.deepEqual([...keys.bucketKeyAges()], [['main', 0]]);
  await wrap('one');
  clock.pass(3000);
  await wrap('two');
  clock.pass(1000);
  assert.deepEqual([...keys.bucketKeyAges()], [['main', 4000]]);
  clock.pass(settings.ttlMs - 3500);
  await wrap('one');
  assert.deepEqual([...keys.bucketKeyAges()], [['main', settings.ttlMs - 2500]]);
  keys.close();
});
